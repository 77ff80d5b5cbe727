//! `#[task]`: makes a function a task of a worker program, and its calls jobs.
//!
//! The macro reads the signature, refuses what cannot cross a process boundary and writes down what
//! only it can know: the names, the types as text, the first sentence of the documentation.
//! Everything that runs is an ordinary function of the task crate.

mod attributes;
mod expand;
mod signature;
mod text;

use proc_macro::TokenStream;

/// Makes a function a task: a call of it is then a job.
///
/// ```
/// use brigade::{ThreadPool, task};
///
/// /// Raises BASE to the power of EXPONENT.
/// #[task]
/// fn pow(base: f64, exponent: f64) -> f64 {
///     base.powf(exponent)
/// }
///
/// # fn main() -> brigade::Result<()> {
/// let pool = ThreadPool::builder().workers(1).build()?;
/// let future = pool.submit(pow(2.0, 10.0)); // pow gives a Job<f64, (f64, f64)>
/// assert_eq!(future.result()?, 1024.0);
/// assert_eq!(pow::call(2.0, 3.0), 8.0);
/// # Ok(())
/// # }
/// ```
///
/// In place of the function stands one of the same name, visibility and documentation that takes its
/// arguments and returns a job. Beside it appears a module of the same name (functions and modules do not
/// get into each other's way) with `call`, the function itself, and `TASK`, the task.
///
/// * The task's name is the function's, with dashes for underscores, or `#[task(name = "…")]`.
/// * A first parameter of type `&Context` is given the context of the job; it is not an argument of the
///   job, but one of `call`.
/// * All other parameters are owned values that implement `Serialize` and `Deserialize`.
/// * The result is such a value, or a `Result` of one (a type of that name, be it an alias); its error
///   needs `Display`, and is shown in the alternate form, `{:#}`.
/// * Bincode does not describe itself: types with `#[serde(untagged)]`, `#[serde(flatten)]` or
///   `#[serde(skip_serializing_if)]` do not survive the journey between two processes.
/// * JSON has no infinities and no NaN: as a result they come out as `null`.
/// * A task stands in a module, not in the body of another function. A doctest therefore has an
///   `fn main` of its own.
/// * Every task of a program is found by `init()`, except for those that are `#[task(unlisted)]`: they are
///   offered only by a `Registry` to which their `TASK` is given.
/// * Documentation and `deprecated` go to the constructor of jobs, `cfg` and `allow` to everything, all other
///   attributes to the function itself.
/// * `#[task(crate = ::path)]` says where the library is, if not at `::brigade`; `::brigade_task` and
///   `::brigade_worker` will do as well.
#[proc_macro_attribute]
pub fn task(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute.into(), &item.into()).into()
}
