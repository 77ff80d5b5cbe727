//! What a function's signature says about the task, and whether it can be one at all.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Error, FnArg, GenericArgument, Pat, PatType, PathArguments, Result, ReturnType, Safety,
    Signature, Type, parse_quote,
};

use crate::text;

/// As many arguments as serde takes in a tuple.
const MOST_PARAMETERS: usize = 16;

/// What is known of the task from its signature.
pub(crate) struct Shape {
    /// Whether the function wants the job's context first.
    pub(crate) takes_context: bool,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) output: Output,
}

/// What the function returns.
pub(crate) struct Output {
    /// The type of the result, as text; of a `Result`, what it is when all goes well.
    pub(crate) text: String,
    /// The whole return type.
    pub(crate) whole: Type,
    /// The success of a `Result`, where it is written down.
    pub(crate) success: Option<Type>,
    pub(crate) fallible: bool,
}

/// One argument of the task.
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) ident: Ident,
    pub(crate) kind: Type,
    /// Its type, as text.
    pub(crate) text: String,
}

/// Reads a signature.
///
/// # Errors
///
/// The first reason why the function cannot be a task, at the place where it stands.
pub(crate) fn read(signature: &Signature) -> Result<Shape> {
    refuse_qualifiers(signature)?;
    let mut inputs = signature.inputs.iter().peekable();
    let takes_context = inputs.next_if(|input| is_context(input)).is_some();
    let parameters = inputs.map(read_parameter).collect::<Result<Vec<_>>>()?;
    if parameters.len() > MOST_PARAMETERS {
        let message = format!("a task takes at most {MOST_PARAMETERS} arguments");
        return Err(Error::new(signature.inputs.span(), message));
    }
    let output = read_output(&signature.output)?;
    Ok(Shape { takes_context, parameters, output })
}

fn refuse_qualifiers(signature: &Signature) -> Result<()> {
    if let Some(keyword) = &signature.asyncness {
        return refuse(keyword, "a task cannot be async: it has a thread for itself and may block");
    }
    if let Safety::Unsafe(keyword) = &signature.safety {
        return refuse(keyword, "a task cannot be unsafe: anybody may send it any arguments");
    }
    if let Some(abi) = &signature.abi {
        return refuse(abi, "a task cannot be extern: it is called from Rust");
    }
    if !signature.generics.params.is_empty() {
        let message = "a task cannot be generic: its arguments are decoded into types known here";
        return refuse(&signature.generics, message);
    }
    if let Some(clause) = &signature.generics.where_clause {
        return refuse(clause, "a task cannot have a where clause: it is not generic");
    }
    Ok(())
}

fn refuse<T>(place: impl ToTokens, message: &str) -> Result<T> {
    Err(Error::new_spanned(place, message))
}

fn is_context(input: &FnArg) -> bool {
    let FnArg::Typed(PatType { ty, .. }) = input else { return false };
    let Type::Reference(reference) = &**ty else { return false };
    let Type::Path(path) = &*reference.elem else { return false };
    let named_context = path.path.segments.last().is_some_and(|last| last.ident == "Context");
    named_context && reference.mutability.is_none()
}

fn read_parameter(input: &FnArg) -> Result<Parameter> {
    let typed = match input {
        FnArg::Typed(typed) => typed,
        FnArg::Receiver(receiver) => {
            let message = "a task cannot take `self`: it is a function, not a method";
            return refuse(receiver, message);
        }
    };
    let ident = match &*typed.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => pat.ident.clone(),
        pattern => {
            let message = "give this argument a plain name, by which it can be passed";
            return refuse(pattern, message);
        }
    };
    let kind = &*typed.ty;
    if is_context(input) {
        let message = "`&Context` must be the first parameter, and there can be one only";
        return refuse(kind, message);
    }
    if mentions_reference(kind.to_token_stream()) {
        let message = "a task's arguments come from another process, so it cannot borrow them: \
                       take an owned type (`String`, not `&str`)";
        return refuse(kind, message);
    }
    refuse_impl(kind)?;
    let text = text::of_type(kind.to_token_stream());
    Ok(Parameter { name: plain_name(&ident), ident, kind: kind.clone(), text })
}

fn read_output(output: &ReturnType) -> Result<Output> {
    let unit = || parse_quote!(());
    let ReturnType::Type(_, whole) = output else {
        return Ok(Output { text: "()".into(), whole: unit(), success: None, fallible: false });
    };
    if let Type::Never(_) = **whole {
        return Ok(Output { text: "!".into(), whole: unit(), success: None, fallible: false });
    }
    let (written, fallible) = success_type(whole);
    let success = written.unwrap_or(whole);
    if mentions_reference(success.to_token_stream()) {
        let message = "a task's result goes to another process, so it cannot be a reference: \
                       return an owned type (`String`, not `&str`)";
        return refuse(success, message);
    }
    refuse_impl(success)?;
    let text = text::of_type(success.to_token_stream());
    Ok(Output { text, whole: (**whole).clone(), success: written.cloned(), fallible })
}

/// The `T` of a `Result<T, …>` if it is written down, and whether it is a `Result`: recognised by its
/// last name, since a macro sees no types.
fn success_type(whole: &Type) -> (Option<&Type>, bool) {
    let Type::Path(path) = whole else { return (None, false) };
    let Some(last) = path.path.segments.last().filter(|last| last.ident == "Result") else {
        return (None, false);
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return (None, true) };
    match arguments.args.first() {
        Some(GenericArgument::Type(success)) => (Some(success), true),
        _ => (None, true),
    }
}

fn refuse_impl(kind: &Type) -> Result<()> {
    if mentions(kind.to_token_stream(), &|token| is_ident(token, "impl")) {
        let message = "a task's types must be known here: name the type instead of `impl`";
        return refuse(kind, message);
    }
    Ok(())
}

fn mentions_reference(tokens: TokenStream) -> bool {
    mentions(tokens, &|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '&'))
}

fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

fn mentions(tokens: TokenStream, sought: &dyn Fn(&TokenTree) -> bool) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), sought),
        token => sought(&token),
    })
}

/// A name without the `r#` that a keyword needs.
pub(crate) fn plain_name(ident: &Ident) -> String {
    ident.unraw().to_string()
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn shape(signature: TokenStream) -> Result<Shape> {
        read(&syn::parse2(signature)?)
    }

    #[track_caller]
    fn assert_refused(signature: TokenStream, words: &str) {
        let message = shape(signature).err().expect("it should be refused").to_string();
        assert!(message.contains(words), "{message}");
    }

    #[test]
    fn context_is_not_an_argument() {
        let shape = shape(quote!(fn f(_: &task::Context, mut r#type: Vec<u8>))).ok().unwrap();
        assert!(shape.takes_context);
        assert_eq!(shape.parameters.len(), 1);
        assert_eq!(shape.parameters[0].name, "type");
        assert_eq!(shape.output.text, "()");
        assert!(!shape.output.fallible);
    }

    #[test]
    fn a_result_returns_its_success() {
        let cases = [
            (quote!(fn f() -> Result<Vec<u8>, &'static str>), "Vec<u8>", true),
            (quote!(fn f() -> std::io::Result<()>), "()", true),
            (quote!(fn f() -> fmt::Result), "fmt::Result", true),
            (quote!(fn f() -> !), "!", false),
            (quote!(fn f() -> Option<u8>), "Option<u8>", false),
        ];
        for (signature, returns, fallible) in cases {
            let shape = shape(signature).unwrap();
            assert_eq!((shape.output.text.as_str(), shape.output.fallible), (returns, fallible));
        }
    }

    #[test]
    fn what_cannot_cross_processes_is_refused() {
        assert_refused(quote!(fn f(text: &str)), "cannot borrow");
        assert_refused(quote!(fn f(text: &mut String)), "cannot borrow");
        assert_refused(quote!(fn f(text: Option<(u8, &str)>)), "cannot borrow");
        assert_refused(quote!(fn f() -> &'static str), "result goes to another process");
        assert_refused(quote!(fn f() -> Result<&'static str, String>), "result goes to another");
    }

    #[test]
    fn what_is_no_plain_function_is_refused() {
        assert_refused(quote!(async fn f()), "async");
        assert_refused(quote!(unsafe fn f()), "unsafe");
        assert_refused(quote!(extern "C" fn f()), "extern");
        assert_refused(quote!(fn f<T>(value: T)), "generic");
        assert_refused(quote!(fn f<'a>(value: Cow<'a, str>)), "generic");
        assert_refused(quote!(fn f() where u8: Copy), "where clause");
        assert_refused(quote!(fn f(&self)), "`self`");
    }

    #[test]
    fn what_has_no_name_or_type_is_refused() {
        assert_refused(quote!(fn f((a, b): (u8, u8))), "plain name");
        assert_refused(quote!(fn f(_: u8)), "plain name");
        assert_refused(quote!(fn f(value: impl Into<u8>)), "`impl`");
        assert_refused(quote!(fn f() -> Box<impl Send>), "`impl`");
    }

    #[test]
    fn context_comes_first_and_alone() {
        assert_refused(quote!(fn f(a: u8, context: &Context)), "first parameter");
        assert_refused(quote!(fn f(a: &Context, b: &Context)), "first parameter");
        assert_refused(quote!(fn f(context: &mut Context)), "cannot borrow");
    }

    #[test]
    fn there_are_at_most_sixteen_arguments() {
        let names: Vec<_> = (0..17).map(|i| quote::format_ident!("a{i}")).collect();
        let sixteen = &names[1..];
        assert_eq!(shape(quote!(fn f(#(#sixteen: u8),*))).unwrap().parameters.len(), 16);
        assert_refused(quote!(fn f(#(#names: u8),*)), "at most 16");
    }
}
