//! The `jwt` workload: a session token in a cookie is verified (HS256, issuer, expiry), its subject goes to the service
//! in a field that clients cannot set, and the path chooses the service. The same work in every product's own words.

/// Signs the token: no secret, it only stands here. Letters that no configuration file has to quote.
pub(crate) const KEY: &str = "a-key-of-at-least-thirty-two-bytes-for-HS256";
/// [`KEY`] in base64url, as a JWK has it (RFC 7518 section 6.4.1).
pub(crate) const KEY_BASE64URL: &str = "YS1rZXktb2YtYXQtbGVhc3QtdGhpcnR5LXR3by1ieXRlcy1mb3ItSFMyNTY";
/// `{"iss":"shop","sub":"ada","iat":1760000000,"exp":4102444800}`, signed: good until the year 2100.
pub(crate) const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
    eyJpc3MiOiJzaG9wIiwic3ViIjoiYWRhIiwiaWF0IjoxNzYwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDB9.\
    0zr-ohIchoVKDrnmMtmJJYjKVyT1noTTRlrmrgqT0Gg";
/// The field that tells the service who asks, and whom the token is about.
pub(crate) const USER_FIELD: &str = "X-User";
/// See [`USER_FIELD`].
pub(crate) const USER: &str = "ada";
/// What is asked for.
pub(crate) const PATH: &str = "/users/42";
/// First segments of the paths, each with a service of its own.
pub(crate) const SERVICES: [&str; 4] = ["users", "posts", "feed", "search"];

/// The cookie that carries a token.
pub(crate) fn cookie(token: &str) -> (&'static str, String) {
    ("Cookie", format!("theme=dark; session={token}"))
}

/// The token with one letter of its signature changed.
pub(crate) fn forged() -> String {
    TOKEN.replace(".0zr-", ".0zrY")
}

/// Tidegate's module, as `tools/examples/jwt_cookie.ts` has it.
pub(crate) const TIDEGATE: &str = r#"import { secret } from "tidegate";
import { verifyJwt } from "tidegate/crypto";
export async function requestModifier(ctx: any): Promise<Response | undefined> {
  ctx.request().headers.delete("X-User");
  const cookie = ctx.response().getCookie("session");
  const key = secret("session-key");
  if (!cookie || !key) return new Response("log in first", { status: 401 });
  try {
    const { payload } = await verifyJwt(cookie.value, key, { algorithm: "HS256", issuer: "shop", audience: false });
    ctx.request().headers.set("X-User", payload.sub ?? "");
  } catch (error) {
    return new Response("log in again", { status: 401 });
  }
}
"#;

/// The script for njs: who asks, or nothing. It is read through a variable, once per request.
pub(crate) fn njs() -> String {
    r#"import crypto from 'crypto';
function user(r) {
  try {
    const parts = r.variables.cookie_session.split('.');
    if (parts.length != 3 || JSON.parse(Buffer.from(parts[0], 'base64url')).alg != 'HS256') return '';
    const mac = crypto.createHmac('sha256', 'KEY').update(parts[0] + '.' + parts[1]).digest('base64url');
    if (mac != parts[2]) return '';
    const claims = JSON.parse(Buffer.from(parts[1], 'base64url'));
    return claims.iss == 'shop' && claims.exp > Date.now() / 1000 ? claims.sub : '';
  } catch (e) {
    return '';
  }
}
export default { user };
"#
    .replace("KEY", KEY)
}

/// The lines of nginx's `server` block, given what proxies.
pub(crate) fn nginx_locations(proxy: &str) -> String {
    let location = |name: &&str| {
        format!(
            "location /{name}/ {{\nif ($user = \"\") {{ return 401; }}\nproxy_set_header {USER_FIELD} $user;\n{proxy}}}\n"
        )
    };
    SERVICES.iter().map(location).collect()
}

/// The lines of HAProxy's frontend.
pub(crate) fn haproxy_frontend() -> String {
    let to = |name: &&str| format!("  use_backend {name} if {{ path_beg /{name}/ }}\n");
    let services: String = SERVICES.iter().map(to).collect();
    format!(
        "  http-request set-var(txn.jwt) req.cook(session)\n\
         \x20 http-request set-var(txn.alg) var(txn.jwt),jwt_header_query('$.alg')\n\
         \x20 http-request set-var(txn.exp) var(txn.jwt),jwt_payload_query('$.exp','int')\n\
         \x20 http-request deny deny_status 401 unless {{ var(txn.alg) -m str HS256 }}\n\
         \x20 http-request deny deny_status 401 unless {{ var(txn.jwt),jwt_verify(txn.alg,\"{KEY}\") -m int 1 }}\n\
         \x20 http-request deny deny_status 401 unless {{ var(txn.jwt),jwt_payload_query('$.iss') -m str shop }}\n\
         \x20 http-request deny deny_status 401 if {{ date,sub(txn.exp) -m int ge 0 }}\n\
         \x20 http-request set-header {USER_FIELD} %[var(txn.jwt),jwt_payload_query('$.sub')]\n{services}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_token_is_another_of_the_same_length() {
        assert_ne!(forged(), TOKEN);
        assert_eq!(forged().len(), TOKEN.len());
        assert_eq!(TOKEN.split('.').count(), 3);
        assert!(njs().contains(KEY) && haproxy_frontend().contains("use_backend users"));
        assert_eq!(nginx_locations("").matches("location /").count(), SERVICES.len());
    }
}
