//! The end-to-end tests: each promise of the design as something that can be seen from outside.
//!
//! * the library, with the tasks that misbehave in its workers: [`table`], [`crash`], [`cancel`],
//!   [`recall`], [`drain`], [`gather`], [`payload`], [`typed`], [`chaos`], [`siege`], [`options`],
//!   [`recycling`];
//! * threads instead of processes: [`threads`];
//! * the program: [`program`], [`command`], [`records`], [`signals`], [`start`], [`orphans`], [`stream`], [`soak`],
//!   [`surroundings`];
//! * the house: [`tidy`], and the table of tests that are as those of CPython: [`conformance`].

#![expect(
    clippy::unwrap_used,
    reason = "in a test, an unwrap that fails says that the test failed"
)]

mod cancel;
mod careless;
mod chaos;
mod command;
mod conformance;
mod control;
mod crash;
mod drain;
mod gather;
mod options;
mod orphans;
mod payload;
mod pools;
mod program;
mod recall;
mod records;
mod recycling;
mod siege;
mod signals;
mod soak;
mod start;
mod stream;
mod surroundings;
mod table;
mod threads;
mod tidy;
mod typed;

/// The program under test, with the tasks that misbehave.
const FAULTY: &str = env!("CARGO_BIN_EXE_faulty");
