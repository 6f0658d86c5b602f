//! The client commands of the `tidegate` binary. They know the admin API and nothing of the gateway's inside.
