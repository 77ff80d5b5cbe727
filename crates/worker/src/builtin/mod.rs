//! Built-in tasks.
