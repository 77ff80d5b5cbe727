//! The scheduler against a simulated world, and examples of its decisions as sentences.

mod decisions;
mod kinship;
mod pool;
mod process;
mod properties;
mod waiting;
mod world;
