//! `#[task]`: makes a function a task of a worker program.
//!
//! The macro reads the signature, refuses what cannot cross a process boundary and writes down what
//! only it can know: the names, the types as text, the first sentence of the documentation.
//! Everything that runs is an ordinary function of the worker crate.

mod attributes;
mod expand;
mod signature;
mod text;

use proc_macro::TokenStream;

/// Makes a function a task.
///
/// The function stays as it is. Beside it appears a module of the same name (functions and modules
/// do not get into each other's way) with `TASK`, which goes into a registry:
///
/// ```ignore
/// /// Raises BASE to the power of EXPONENT.
/// #[task]
/// fn pow(base: f64, exponent: f64) -> f64 {
///     base.powf(exponent)
/// }
///
/// let registry = Registry::new(&[&pow::TASK])?;
/// ```
///
/// * The task's name is the function's, with dashes for underscores, or `#[task(name = "…")]`.
/// * A first parameter of type `&Context` is given the context of the job; it is not an argument.
/// * All other parameters are owned values that implement `Deserialize`.
/// * The result is a value that implements `Serialize`, or a `Result` of one (a type whose name ends
///   in `Result`); its error needs `Display`, and is shown in the alternate form, `{:#}`.
/// * Bincode does not describe itself: types with `#[serde(untagged)]`, `#[serde(flatten)]` or
///   `#[serde(skip_serializing_if)]` do not survive the journey between two processes.
/// * JSON has no infinities and no NaN: as a result they come out as `null`.
/// * A task stands in a module, not in the body of another function.
/// * `#[task(crate = ::path)]` says where the worker crate is, if not at `::brigade_task`.
#[proc_macro_attribute]
pub fn task(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(attribute.into(), &item.into()).into()
}
