//! Everything that is allowed, without a warning.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]
#![forbid(unsafe_code)]
#![allow(
    clippy::pedantic,
    clippy::double_must_use,
    clippy::too_many_arguments,
    reason = "what may be written, not what should be"
)]

use brigade::{Context, task};

brigade::test_support!();

/// Ends in a good way, or in another.
#[task]
#[must_use]
#[inline(never)]
#[allow(dead_code, reason = "that it may stand here is what is tested")]
pub fn all_kinds(
    _: &Context,
    mut a: Vec<u8>,
    r#type: Option<(u8, String)>,
) -> Result<usize, std::fmt::Error> {
    a.push(1);
    Ok(a.len() + usize::from(r#type.is_some()))
}

#[task(unlisted)]
#[cfg(any())]
fn absent(nothing: NoSuchType) {}

#[task(name = "another-name")]
fn without_a_result() {}

#[task]
fn never() -> ! {
    // Without the panic hook, which would print it.
    std::panic::resume_unwind(Box::new("on purpose"))
}

#[task]
#[expect(unused_variables)]
pub(crate) fn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> std::fmt::Result {
    Ok(())
}

fn main() {
    brigade::init();
    assert_eq!(all_kinds(vec![1], None).run(), Ok(2));
    assert!(many(1, 2, 3, 4, 5, 6, 7, 8).run().is_ok());
    without_a_result::call();
    assert!(never().run().is_err_and(|error| error.is_panicked()));
    assert_eq!(without_a_result::TASK.name, "another-name");
}
