//! The scheduler against a simulated world, and examples of its decisions as sentences.

mod decisions;
mod pool;
mod process;
mod properties;
mod threads;
mod world;
