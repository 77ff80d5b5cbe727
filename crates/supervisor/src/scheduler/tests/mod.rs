//! The scheduler against a simulated world, and examples of its decisions as sentences.

mod decisions;
mod kinship;
mod pool;
mod process;
mod properties;
mod recycling;
mod threads;
mod waiting;
mod world;
