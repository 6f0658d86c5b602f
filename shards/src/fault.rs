//! A request failed: every way in which that happens, closed and `Copy`, with total functions for its name, who is to
//! blame and whether another attempt makes sense. Statuses are not here: `respond` alone knows them.

use tidegate_codec::Malformed;
use tidegate_js::Cause;

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request broke a protocol rule.
    Malformed(Malformed),
    /// The head was not complete in time.
    HeaderTimeout,
    /// The request's body stalled.
    BodyTimeout,
    /// The request's body is larger than its route allows.
    BodyTooLarge,
    /// The client closed or reset its connection.
    ClientClosed,
    /// The client did not take the response in time.
    WriteTimeout,
    /// `allowed_domains` does not know the host.
    HostForbidden,
    /// No namespace serves the host.
    NoNamespace,
    /// No route answers the path.
    NoRoute,
    /// Routes answer the path, with other methods.
    MethodNotAllowed,
    /// CONNECT or TRACE, or `OPTIONS *`, which no route can answer.
    MethodRefused,
    /// The path has `%2F` and its route does not allow that.
    EncodedSlash,
    /// The shard has as many connections as it may have.
    TooManyConnections,
    /// The route has neither a service nor a request handler.
    NothingToCall,
    /// As many connections to this address are open as may be.
    UpstreamBusy,
    /// The upstream's name does not resolve.
    Unresolved,
    /// The upstream refused the connection or cannot be reached.
    ConnectFailed,
    /// The upstream did not accept the connection in time.
    ConnectTimeout,
    /// The response's head did not come in time.
    RequestTimeout,
    /// The upstream closed before the response was complete.
    UpstreamClosed,
    /// The upstream's response broke a protocol rule.
    UpstreamMalformed(Malformed),
    /// The upstream switched protocols though nobody had asked for it.
    UpstreamSwitched,
    /// The upstream's body stalled.
    UpstreamBodyTimeout,
    /// The upstream stopped taking the request.
    UpstreamWriteTimeout,
    /// A module's call failed.
    Module(Cause),
    /// `fetchUpstream` answered what is no `http` URL.
    ModuleUrl,
    /// The gateway's own invariant broke; the panic was caught.
    Panicked,
}

/// Who is to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Culprit {
    /// Who sent the request.
    Client,
    /// This process or its configuration.
    Gateway,
    /// A module.
    Module,
    /// Who should have answered.
    Upstream,
}

impl Fault {
    /// Stable snake_case name, for logs, metrics and the error's body.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed(rule) => rule.code(),
            Self::HeaderTimeout => "header_timeout",
            Self::BodyTimeout => "body_timeout",
            Self::BodyTooLarge => "body_too_large",
            Self::ClientClosed => "client_closed",
            Self::WriteTimeout => "write_timeout",
            Self::HostForbidden => "host_forbidden",
            Self::NoNamespace => "no_namespace",
            Self::NoRoute => "no_route",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::MethodRefused => "method_refused",
            Self::EncodedSlash => "encoded_slash",
            Self::TooManyConnections => "too_many_connections",
            Self::NothingToCall => "nothing_to_call",
            Self::UpstreamBusy => "upstream_busy",
            Self::Unresolved => "upstream_unresolved",
            Self::ConnectFailed => "connect_failed",
            Self::ConnectTimeout => "connect_timeout",
            Self::RequestTimeout => "request_timeout",
            Self::UpstreamClosed => "upstream_closed",
            Self::UpstreamMalformed(_) => "upstream_malformed",
            Self::UpstreamSwitched => "upstream_switched",
            Self::UpstreamBodyTimeout => "upstream_body_timeout",
            Self::UpstreamWriteTimeout => "upstream_write_timeout",
            Self::Module(cause) => match cause {
                Cause::Thrown => "module_error",
                Cause::CpuTime => "module_cpu_limit",
                Cause::Memory => "module_memory_limit",
                Cause::Stack => "module_stack_limit",
                Cause::Pending => "module_pending_limit",
                Cause::Timers => "module_timer_limit",
                Cause::Fetches => "module_fetch_limit",
                Cause::Contexts => "module_busy",
                Cause::Internal => "module_internal",
            },
            Self::ModuleUrl => "module_url",
            Self::Panicked => "panicked",
        }
    }

    /// Who is to blame.
    pub fn culprit(self) -> Culprit {
        match self {
            Self::Malformed(_)
            | Self::HeaderTimeout
            | Self::BodyTimeout
            | Self::BodyTooLarge
            | Self::ClientClosed
            | Self::WriteTimeout
            | Self::HostForbidden
            | Self::NoNamespace
            | Self::NoRoute
            | Self::MethodNotAllowed
            | Self::MethodRefused
            | Self::EncodedSlash => Culprit::Client,
            Self::TooManyConnections | Self::NothingToCall | Self::Panicked => Culprit::Gateway,
            Self::Module(_) | Self::ModuleUrl => Culprit::Module,
            Self::UpstreamBusy
            | Self::Unresolved
            | Self::ConnectFailed
            | Self::ConnectTimeout
            | Self::RequestTimeout
            | Self::UpstreamClosed
            | Self::UpstreamMalformed(_)
            | Self::UpstreamSwitched
            | Self::UpstreamBodyTimeout
            | Self::UpstreamWriteTimeout => Culprit::Upstream,
        }
    }

    /// Whether another endpoint, or the same one later, may do better.
    pub fn is_worth_retrying(self) -> bool {
        matches!(
            self,
            Self::Unresolved
                | Self::ConnectFailed
                | Self::ConnectTimeout
                | Self::UpstreamClosed
                | Self::UpstreamBusy
                | Self::UpstreamWriteTimeout
        )
    }

    /// Whether a person should read of it: limits that fired and things that broke, not a client's plain 404.
    pub fn is_worth_a_line(self) -> bool {
        !matches!(self, Self::NoRoute | Self::NoNamespace | Self::MethodNotAllowed | Self::ClientClosed)
    }
}

impl From<Malformed> for Fault {
    fn from(rule: Malformed) -> Self {
        Self::Malformed(rule)
    }
}
