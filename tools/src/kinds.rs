//! The table of kinds and fields. A black-box test compares it with the gateway's own description of its API; a field
//! is added here and nowhere else in this package. It never holds behaviour.

use crate::field::{Field, FieldType::*, Kind};

const NAME: Field = Field::new("name", Text, "unique within its namespace", "name=api").required();
const VERSIONED: Field =
    Field::new("name", Text, "unique within its namespace; NAME:VERSION is a version", "name=auth:2")
        .required();
const NAMESPACE: Field =
    Field::new("namespace", Text, "the namespace it lives in", "namespace=shop").default("default");
const TAGS: Field = Field::new("tags", List, "free labels", "tags=team-a,beta");

/// Every kind, in the order in which help lists them.
pub(crate) static KINDS: &[Kind] = &[
    Kind {
        name: "namespace",
        alias: "ns",
        doc: "Tenants: every other resource lives in one",
        fields: &[Field::new("name", Text, "unique in the cluster", "name=shop").required(), TAGS],
        columns: &["name", "tags"],
        example: "name=shop",
    },
    Kind {
        name: "service",
        alias: "svc",
        doc: "Upstreams: where requests go, and how they are called",
        fields: &[
            NAME,
            NAMESPACE,
            Field::new("urls", List, "upstream addresses with scheme and host", "urls=http://10.0.0.1:8080")
                .required(),
            Field::new("retries", Integer, "attempts after the first", "retries=2").default("3"),
            Field::new("retryTimeout", Duration, "pause before each retry", "retryTimeout=50ms")
                .default("5s"),
            Field::new("connectTimeout", Duration, "bound on connecting", "connectTimeout=250ms")
                .default("1s"),
            Field::new("requestTimeout", Duration, "bound on the whole call", "requestTimeout=2s")
                .default("5s"),
            Field::new("tlsSkipVerify", Boolean, "accept any upstream certificate", "tlsSkipVerify=true")
                .default("false"),
            Field::new("http2Only", Boolean, "speak only HTTP/2 to the upstream", "http2Only=true")
                .default("false"),
            Field::new(
                "hideDGateHeaders",
                Boolean,
                "send none of the gateway's own headers",
                "hideDGateHeaders=true",
            )
            .default("false"),
            Field::new("disableQueryParams", Boolean, "do not forward the query", "disableQueryParams=true")
                .default("false"),
            TAGS,
        ],
        columns: &["name", "namespace", "urls", "retries", "tags"],
        example: "name=api urls=http://10.0.0.1:8080,http://10.0.0.2:8080",
    },
    Kind {
        name: "route",
        alias: "rt",
        doc: "Routes: which requests are matched, and what happens to them",
        fields: &[
            NAME,
            NAMESPACE,
            Field::new("paths", List, "patterns: /users/{id}, /files/*", "paths=/users/{id},/files/*")
                .required(),
            Field::new("methods", List, "HTTP methods; * alone means any", "methods=GET,POST").required(),
            Field::new("preserveHost", Boolean, "send the client's Host upstream", "preserveHost=true")
                .default("false"),
            Field::new(
                "stripPath",
                Boolean,
                "remove what the pattern matched before its *",
                "stripPath=true",
            )
            .default("false"),
            Field::new("service", Text, "service to send requests to", "service=api"),
            Field::new(
                "modules",
                List,
                "modules in the order in which they run: NAME[:VERSION][@SHARE%][;by=…][;when=…]",
                "modules=auth:2@10%,auth,api",
            ),
            Field::new(
                "response",
                Json,
                "its own answer, without service and modules: status, headers, body",
                r#"response:='{"status":503,"body":"closed"}'"#,
            ),
            Field::new("maxBodyBytes", Integer, "largest request body in bytes", "maxBodyBytes=1048576"),
            Field::new(
                "allowEncodedSlash",
                Boolean,
                "accept and forward %2F in the path",
                "allowEncodedSlash=true",
            )
            .default("false"),
            TAGS,
        ],
        columns: &["name", "namespace", "paths", "methods", "service", "modules", "tags"],
        example: "name=api paths=/api/* methods=GET,POST service=api stripPath=true",
    },
    Kind {
        name: "module",
        alias: "mod",
        doc: "Modules: TypeScript or JavaScript that runs for a route",
        fields: &[
            VERSIONED,
            NAMESPACE,
            Field::new("payload", File, "the source, in base64", "payload@=auth.ts").required(),
            Field::new(
                "moduleType",
                Choice(&["typescript", "javascript"]),
                "language; taken from the file's ending when it is .ts or .js",
                "moduleType=javascript",
            )
            .default("typescript"),
            Field::new(
                "permissions",
                List,
                "what it may reach; empty for nothing",
                "permissions=cache,secrets:key",
            )
            .default("net:fetch,documents:read,documents:write,cache"),
            Field::new(
                "limits",
                Json,
                "cpuMs, memoryBytes, stackBytes, bodyBytes, fetches, timers, pending",
                r#"limits:='{"cpuMs":50}'"#,
            )
            .default("the gateway's flags"),
            TAGS,
        ],
        columns: &["name", "namespace", "moduleType", "tags"],
        example: "name=auth payload@=auth.ts",
    },
    Kind {
        name: "domain",
        alias: "dom",
        doc: "Domains: which hosts belong to a namespace",
        fields: &[
            NAME,
            NAMESPACE,
            Field::new(
                "patterns",
                List,
                "example.com, *.example.com, or /regex/",
                "patterns=example.com,*.example.com",
            )
            .required(),
            Field::new("priority", Integer, "higher is asked first", "priority=10").default("0"),
            Field::new("cert", Pem, "certificate chain", "cert@=chain.pem"),
            Field::new("key", Pem, "private key; never shown again", "key@=key.pem").secret(),
            TAGS,
        ],
        columns: &["name", "namespace", "patterns", "priority", "tags"],
        example: "name=shop namespace=shop patterns=shop.example.com,*.shop.example.com",
    },
    Kind {
        name: "collection",
        alias: "col",
        doc: "Collections: documents that share a JSON Schema",
        fields: &[
            NAME,
            NAMESPACE,
            Field::new("schema", Json, "a JSON Schema for the documents", r#"schema:='{"type":"object"}'"#)
                .default("anything"),
            Field::new(
                "visibility",
                Choice(&["public", "private"]),
                "private: only modules read it",
                "visibility=public",
            )
            .default("private"),
            Field::new(
                "type",
                Choice(&["document", "fetcher"]),
                "where documents come from",
                "type=document",
            )
            .default("document"),
            TAGS,
        ],
        columns: &["name", "namespace", "visibility", "type", "tags"],
        example: r#"name=links schema:='{"type":"object"}'"#,
    },
    Kind {
        name: "document",
        alias: "doc",
        doc: "Documents: JSON that modules read and write",
        fields: &[
            Field::new("id", Text, "unique within its collection", "id=home").required(),
            NAMESPACE,
            Field::new("collection", Text, "the collection it belongs to", "collection=links").required(),
            Field::new("data", Json, "the content", r#"data:='{"url":"https://example.com"}'"#).required(),
        ],
        columns: &["id", "namespace", "collection", "data", "updatedAt"],
        example: r#"collection=links id=home data:='{"url":"https://example.com"}'"#,
    },
    Kind {
        name: "secret",
        alias: "sec",
        doc: "Secrets: values that modules use and nobody reads back",
        fields: &[
            NAME,
            NAMESPACE,
            Field::new("data", Text, "the value; never shown again", "data@=token.txt").required().secret(),
            TAGS,
        ],
        columns: &["name", "namespace", "tags"],
        example: "name=token data@=token.txt",
    },
];
