//! Tests whose pools have the test program itself as their worker program.

/// Makes a test program its own worker program. Stands once, at the top of a file of tests.
///
/// The `main` of a test is not one's own, and when a test runs there are other threads already: too late
/// for [`init()`](crate::init). So this calls it before `main`, if a pool started the program.
///
/// * An **integration test**: at the top of its file.
/// * **Unit tests**: at the top of the crate, as `#[cfg(test)] brigade::test_support!();`.
/// * A **doctest**: beside its tasks, outside of its `main`. In edition 2024 doctests are one program unless
///   marked `standalone_crate`, and the names of tasks must differ in one program.
///
/// ```standalone_crate
/// use brigade::{ProcessPool, task};
///
/// brigade::test_support!();
///
/// #[task]
/// fn add(a: u32, b: u32) -> u32 {
///     a + b
/// }
///
/// fn main() -> brigade::Result<()> {
///     let pool = ProcessPool::builder().workers(1).build()?;
///     assert_eq!(pool.submit(add(2, 3)).result()?, 5);
///     Ok(())
/// }
/// ```
///
/// Before `main` the standard library has not set up its handler for stack overflows. A job that
/// overflows its stack in a worker of such a program ends it by SIGSEGV without a word, where in a worker of
/// a program that calls [`init()`](crate::init) it is SIGABRT with some.
#[macro_export]
macro_rules! test_support {
    () => {
        const _: () = {
            extern "C" fn before_main() {
                $crate::__private::init_before_main();
            }

            #[used]
            // SAFETY: the section holds the addresses of functions that the C library calls before
            // `main`, one after another in the only thread there is. They may be given arguments, which
            // this one does not look at. Unless a pool started the process, it looks at the environment
            // and returns; otherwise it does not return, and needs nothing that `main` would have set up.
            #[unsafe(link_section = ".init_array")]
            static BEFORE_MAIN: extern "C" fn() = before_main;
        };
    };
}
