//! The code that `#[task]` writes: the function itself, and beside it the module with `TASK`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::{Error, ItemFn, LitStr, Path, Result, parse_quote};

use crate::signature::{self, Parameter, Shape};
use crate::text;

/// The function with its task, or with one compile error.
pub(crate) fn expand(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    let written = task_module(attribute, item.clone());
    // The function is there in any case, so that its other users do not fail as well.
    let module = written.unwrap_or_else(|error| error.to_compile_error());
    quote! {
        // A task owns its arguments, whether or not it consumes them.
        #[allow(clippy::needless_pass_by_value)]
        #item
        #module
    }
}

/// What stands in the parentheses of `#[task(…)]`.
struct Options {
    name: Option<String>,
    worker: Path,
}

fn read_options(attribute: TokenStream) -> Result<Options> {
    let mut options = Options { name: None, worker: parse_quote!(::brigade_task) };
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("name") {
            let name: LitStr = meta.value()?.parse()?;
            if name.value().is_empty() {
                return Err(Error::new_spanned(name, "a task must have a name"));
            }
            options.name = Some(name.value());
            Ok(())
        } else if meta.path.is_ident("crate") {
            options.worker = meta.value()?.parse()?;
            Ok(())
        } else {
            Err(meta.error("expected `name = \"…\"` or `crate = path`"))
        }
    });
    parser.parse2(attribute)?;
    Ok(options)
}

fn task_module(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let Options { name, worker } = read_options(attribute)?;
    let function: ItemFn = syn::parse2(item)?;
    let shape = signature::read(&function.sig)?;

    let ident = &function.sig.ident;
    let visibility = &function.vis;
    let conditions = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    let name = name.unwrap_or_else(|| signature::plain_name(ident).replace('_', "-"));
    let about = format!("The task `{name}`.");
    let doc = text::first_sentence(&function.attrs);
    let returns = &shape.returns;
    let parameters = shape.parameters.iter().map(|parameter| {
        let Parameter { name, kind } = parameter;
        quote!(#worker::task::Parameter { name: #name, kind: #kind })
    });
    let call = call_of(ident, &worker, &shape);
    Ok(quote! {
        #(#conditions)*
        #[doc = #about]
        #visibility mod #ident {
            #[doc = #about]
            pub static TASK: #worker::task::Task = #worker::task::Task {
                name: #name,
                parameters: &[#(#parameters),*],
                returns: #returns,
                doc: #doc,
                entry: #call,
            };
        }
    })
}

/// The entry, which turns the tuple of arguments into a call of the function and that into a
/// `Result`. It names no types: they follow from the function, so that whatever its module imports
/// need not be imported here.
fn call_of(function: &Ident, worker: &Path, shape: &Shape) -> TokenStream {
    let arguments: Vec<Ident> =
        (0..shape.parameters.len()).map(|index| format_ident!("argument_{index}")).collect();
    let context = format_ident!("{}", if shape.takes_context { "context" } else { "_context" });
    let passed = shape.takes_context.then_some(&context).into_iter().chain(&arguments);
    let call = quote!(super::#function(#(#passed),*));
    let result = if shape.fallible {
        call
    } else {
        quote!(::core::result::Result::Ok::<_, ::core::convert::Infallible>(#call))
    };
    quote! {
        |#context, form, arguments, output| {
            #worker::task::call(&TASK, form, arguments, output, |(#(#arguments,)*)| #result)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(attribute: &str, item: &str) -> String {
        expand(attribute.parse().unwrap(), &item.parse().unwrap()).to_string()
    }

    #[test]
    fn function_stays_and_gets_a_module_of_its_name_and_visibility() {
        let written = expanded("", "pub(crate) fn f_g() {}");
        let file = syn::parse_file(&written).unwrap();
        let [syn::Item::Fn(function), syn::Item::Mod(module)] = &file.items[..] else {
            panic!("{written}")
        };
        assert!(quote!(#function).to_string().ends_with("pub (crate) fn f_g () { }"), "{written}");
        assert_eq!(module.ident, "f_g");
        assert!(matches!(module.vis, syn::Visibility::Restricted(_)), "{written}");
        assert!(written.contains(r#"name : "f-g""#), "{written}");
    }

    #[test]
    fn name_and_crate_can_be_given() {
        let written = expanded(r#"name = "other", crate = crate"#, "fn f() {}");
        assert!(written.contains(r#"name : "other""#), "{written}");
        assert!(written.contains("crate :: task :: Task"), "{written}");
        assert!(!written.contains("brigade_task"), "{written}");
    }

    #[test]
    fn module_is_there_only_if_the_function_is() {
        let written = expanded("", "#[cfg(unix)] #[inline] fn f() {}");
        assert_eq!(written.matches("cfg").count(), 2, "{written}");
        assert_eq!(written.matches("inline").count(), 1, "{written}");
    }

    #[test]
    fn a_refused_function_stays_with_one_error() {
        for (attribute, item) in [
            ("", "async fn f () { }"),
            (r#"name = """#, "fn f () { }"),
            (r#"colour = "red""#, "fn f () { }"),
            ("", "struct Nothing ;"),
        ] {
            let written = expanded(attribute, item);
            assert!(written.contains(item), "{written}");
            assert_eq!(written.matches("compile_error").count(), 1, "{written}");
            assert!(!written.contains("TASK"), "{written}");
        }
    }
}
