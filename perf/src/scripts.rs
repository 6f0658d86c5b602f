//! The scripts of the `script-…` workloads: the same work, written for each product as its own documentation would have
//! it. Plain text; a product that cannot do the work gives the reason instead of a script that does less.

/// What a script does to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// Nothing: the price of being called.
    Empty,
    /// Sets one field of the request.
    Header,
    /// Sets one field of the request and one of the response.
    Both,
    /// Parses 1 KiB of JSON from the upstream, changes a number in it, and writes it.
    Json,
    /// Reads one value of a cache and compares it.
    Cache,
    /// Reads one stored document and compares a field of it.
    Document,
}

/// The field that scripts set on a request; the upstream asks for it.
pub(crate) const REQUEST_FIELD: (&str, &str) = ("X-Modified-By", "gateway");
/// The field that scripts set on a response; the check asks for it.
pub(crate) const RESPONSE_FIELD: (&str, &str) = ("X-Answered-By", "gateway");

/// What a product cannot do, in words for the report.
pub(crate) type Unable = &'static str;

impl Script {
    /// Tidegate's module, TypeScript. A value that is not there is put into the cache by a PUT, once before the check.
    pub(crate) fn tidegate(self) -> &'static str {
        match self {
            Self::Empty => "export function requestModifier(ctx: any): void {}",
            Self::Header => {
                "export function requestModifier(ctx: any): void {
                   ctx.request().headers.set('X-Modified-By', 'gateway');
                 }"
            }
            Self::Both => {
                "export function requestModifier(ctx: any): void {
                   ctx.request().headers.set('X-Modified-By', 'gateway');
                 }
                 export function responseModifier(ctx: any): void {
                   ctx.upstream().headers.set('X-Answered-By', 'gateway');
                 }"
            }
            Self::Json => {
                "export async function responseModifier(ctx: any): Promise<void> {
                   const answer = ctx.upstream();
                   const body = await answer.readJson();
                   body.left -= 1;
                   answer.writeJson(body);
                 }"
            }
            Self::Cache => {
                "import { getCache, setCache } from 'tidegate/storage';
                 export function requestModifier(ctx: any): void {
                   if (getCache('greeting') === 'hello') return;
                   if (ctx.request().method !== 'PUT') throw new Error('the cache is empty');
                   setCache('greeting', 'hello');
                 }"
            }
            Self::Document => {
                "import { getDocument } from 'tidegate/state';
                 export async function requestModifier(ctx: any): Promise<void> {
                   const note = await getDocument('greeting', 'notes');
                   if (note?.data.text !== 'hello') throw new Error('there is no such document');
                 }"
            }
        }
    }

    /// DGate 2's module, JavaScript: evaluated as a script for every call, so nothing is exported.
    pub(crate) fn dgate(self) -> Result<&'static str, Unable> {
        Ok(match self {
            Self::Empty => "function requestModifier(ctx) {}",
            Self::Header => {
                "function requestModifier(ctx) { ctx.request.headers['x-modified-by'] = 'gateway'; }"
            }
            Self::Both => return Err("what a responseModifier does to headers is dropped by DGate 2.1"),
            Self::Json => {
                "function responseModifier(ctx, res) {
                   var body = JSON.parse(res.body);
                   body.left -= 1;
                   res.body = JSON.stringify(body);
                 }"
            }
            Self::Cache => return Err("modules of DGate 2.1 have no cache"),
            Self::Document => {
                "function requestModifier(ctx) {
                   var note = ctx.documents['notes:greeting'];
                   if (!note || note.text !== 'hello') throw new Error('there is no such document');
                 }"
            }
        })
    }

    /// The file for njs. A request's fields are set through variables, which is njs's way: it has no phase before the
    /// upstream in which a script could change them.
    pub(crate) fn njs(self) -> Result<&'static str, Unable> {
        Ok(match self {
            Self::Empty => "function made(r) { return ''; }\nexport default { made };\n",
            Self::Header => "function made(r) { return 'gateway'; }\nexport default { made };\n",
            Self::Both => {
                "function made(r) { return 'gateway'; }\n\
                 function answered(r) { r.headersOut['X-Answered-By'] = 'gateway'; }\n\
                 export default { made, answered };\n"
            }
            // Globals are each request's own. The length stays the same, so the field that tells it may stay.
            Self::Json => {
                "var body = '';\n\
                 function edit(r, data, flags) {\n  body += data;\n  if (!flags.last) return;\n\
                 \x20 var parsed = JSON.parse(body);\n  parsed.left -= 1;\n\
                 \x20 r.sendBuffer(JSON.stringify(parsed), flags);\n}\nexport default { edit };\n"
            }
            Self::Cache => return Err("njs before 0.8 has no shared dictionary"),
            Self::Document => return Err("nginx stores no documents"),
        })
    }

    /// Directives of lua-nginx-module: for `http`, and for the location.
    pub(crate) fn nginx_lua(self) -> Result<(&'static str, &'static str), Unable> {
        Ok(match self {
            Self::Empty => ("", "rewrite_by_lua_block { local nothing = nil }"),
            Self::Header => {
                ("", "rewrite_by_lua_block { ngx.req.set_header(\"X-Modified-By\", \"gateway\") }")
            }
            Self::Both => (
                "",
                "rewrite_by_lua_block { ngx.req.set_header(\"X-Modified-By\", \"gateway\") }
                 header_filter_by_lua_block { ngx.header[\"X-Answered-By\"] = \"gateway\" }",
            ),
            Self::Json => (
                "init_by_lua_block { cjson = require \"cjson.safe\" }",
                "body_filter_by_lua_block {
                   local ctx = ngx.ctx
                   ctx.body = (ctx.body or \"\") .. ngx.arg[1]
                   if not ngx.arg[2] then ngx.arg[1] = nil return end
                   local parsed = cjson.decode(ctx.body)
                   parsed.left = parsed.left - 1
                   ngx.arg[1] = cjson.encode(parsed)
                 }",
            ),
            Self::Cache => (
                "lua_shared_dict kept 1m;
                 init_by_lua_block { ngx.shared.kept:set(\"greeting\", \"hello\") }",
                "rewrite_by_lua_block { if ngx.shared.kept:get(\"greeting\") ~= \"hello\" then ngx.exit(500) end }",
            ),
            Self::Document => return Err("nginx stores no documents"),
        })
    }

    /// HAProxy's Lua file, and the lines of the frontend that call what it registers.
    pub(crate) fn haproxy(self) -> Result<(&'static str, &'static str), Unable> {
        const REQUEST: &str = "http-request lua.request";
        Ok(match self {
            Self::Empty => {
                ("core.register_action(\"request\", { \"http-req\" }, function(txn) end, 0)\n", REQUEST)
            }
            Self::Header => (
                "core.register_action(\"request\", { \"http-req\" }, function(txn)\n\
                 \x20 txn.http:req_set_header(\"X-Modified-By\", \"gateway\")\nend, 0)\n",
                REQUEST,
            ),
            Self::Both => (
                "core.register_action(\"request\", { \"http-req\" }, function(txn)\n\
                 \x20 txn.http:req_set_header(\"X-Modified-By\", \"gateway\")\nend, 0)\n\
                 core.register_action(\"answer\", { \"http-res\" }, function(txn)\n\
                 \x20 txn.http:res_set_header(\"X-Answered-By\", \"gateway\")\nend, 0)\n",
                "http-request lua.request\n  http-response lua.answer",
            ),
            // A filter is HAProxy's only way to a response's body. It waits until the body is there whole.
            Self::Json => (
                "local cjson = require(\"cjson\")\n\
                 local Edit = { id = \"edit\", flags = filter.FLT_CFG_FL_HTX }\nEdit.__index = Edit\n\
                 function Edit:new() return setmetatable({}, Edit) end\n\
                 function Edit:start_analyze(txn, channel)\n\
                 \x20 if channel:is_resp() then filter.register_data_filter(self, channel) end\nend\n\
                 function Edit:http_payload(txn, message)\n\
                 \x20 if not message:eom() then return 0 end\n\
                 \x20 local parsed = cjson.decode(message:body())\n\
                 \x20 parsed.left = parsed.left - 1\n\
                 \x20 message:set(cjson.encode(parsed))\nend\n\
                 core.register_filter(\"edit\", Edit, function(edit, args) return edit end)\n",
                "filter lua.edit",
            ),
            Self::Cache => (
                "local kept = { greeting = \"hello\" }\n\
                 core.register_action(\"request\", { \"http-req\" }, function(txn)\n\
                 \x20 if kept[\"greeting\"] ~= \"hello\" then txn:done(txn:reply({ status = 500 })) end\nend, 0)\n",
                REQUEST,
            ),
            Self::Document => return Err("HAProxy stores no documents"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Script; 6] =
        [Script::Empty, Script::Header, Script::Both, Script::Json, Script::Cache, Script::Document];

    #[test]
    fn fields_are_the_same_everywhere() {
        for script in [Script::Header, Script::Both] {
            let texts = [script.tidegate(), script.nginx_lua().unwrap().1, script.haproxy().unwrap().0];
            for text in texts {
                assert!(text.contains(REQUEST_FIELD.0) && text.contains(REQUEST_FIELD.1), "{text}");
                assert_eq!(text.contains(RESPONSE_FIELD.0), script == Script::Both, "{text}");
            }
        }
    }

    #[test]
    fn scripts_are_of_one_kind_where_they_exist() {
        for script in ALL {
            assert!(script.tidegate().contains("export "), "{script:?}");
            assert!(
                script.dgate().is_err() || script.dgate().unwrap().starts_with("function "),
                "{script:?}"
            );
            assert!(script.njs().is_err() || script.njs().unwrap().contains("export default"), "{script:?}");
        }
    }
}
