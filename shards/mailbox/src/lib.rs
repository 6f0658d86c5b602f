//! The one concurrent structure: bounded queues and a newest-wins slot, with a wake hook.
