//! What Brigade promises beyond `concurrent.futures`, in figures: deaths, time-outs, memory, nested jobs.

mod blobs;
mod cycles;
mod deaths;
mod memory;
mod nested;
mod runs;
mod shared;
mod time_outs;
