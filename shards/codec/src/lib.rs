//! Sans-I/O HTTP/1.1: heads, framing, canonical paths and hosts.
