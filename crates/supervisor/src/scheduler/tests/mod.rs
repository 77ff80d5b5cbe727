//! The scheduler against a simulated world, and examples of its decisions as sentences.

mod decisions;
mod properties;
mod world;
