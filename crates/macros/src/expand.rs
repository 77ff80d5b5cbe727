//! The code that `#[task]` writes.
//!
//! ```text
//!  fn fib(n: u64) -> Job<u64, (u64,)>      the constructor of jobs, in place of the user's function
//!  fn __fib(context: &Context, n: u64) …   the user's function; `fib::call` is its public name
//!  const __fib_task: Typed<(u64,), u64>    the task with its types, which are checked here
//!  mod fib { TASK, call }                  and the registration
//! ```
//!
//! All that names the user's types stands where the user's function stood, so that every path in them
//! means what it did.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Error, ItemFn, LitStr, Path, Result, Type, Visibility, parse_quote};

use crate::attributes::Sorted;
use crate::signature::{self, Output, Parameter, Shape};
use crate::text;

/// The task, or the function as it was with one compile error.
pub(crate) fn expand(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    written(attribute, item.clone()).unwrap_or_else(|error| {
        let error = error.to_compile_error();
        // The function is there in any case, so that its users do not fail as well.
        quote! {
            // Whoever uses it may not compile either.
            #[allow(dead_code)]
            #item
            #error
        }
    })
}

/// What stands in the parentheses of `#[task(…)]`.
struct Options {
    name: Option<String>,
    library: Path,
    listed: bool,
}

fn read_options(attribute: TokenStream) -> Result<Options> {
    let mut options = Options { name: None, library: parse_quote!(::brigade), listed: true };
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("name") {
            let name: LitStr = meta.value()?.parse()?;
            if name.value().is_empty() {
                return Err(Error::new_spanned(name, "a task must have a name"));
            }
            options.name = Some(name.value());
            Ok(())
        } else if meta.path.is_ident("crate") {
            options.library = meta.value()?.parse()?;
            Ok(())
        } else if meta.path.is_ident("unlisted") {
            options.listed = false;
            Ok(())
        } else {
            Err(meta.error("expected `name = \"…\"`, `unlisted` or `crate = path`"))
        }
    });
    parser.parse2(attribute)?;
    Ok(options)
}

fn written(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let Options { name, library, listed } = read_options(attribute)?;
    let function: ItemFn = syn::parse2(item)?;
    let shape = signature::read(&function.sig)?;
    let ident = &function.sig.ident;
    let plain = signature::plain_name(ident);
    let writer = Writer {
        name: name.unwrap_or_else(|| plain.replace('_', "-")),
        private: quote!(#library::__private),
        body: format_ident!("__{plain}", span = ident.span()),
        typed: format_ident!("__{plain}_task", span = ident.span()),
        attributes: Sorted::of(&function.attrs),
        listed,
        shape,
        function: &function,
    };
    let items = [writer.constructor(), writer.body(), writer.typed(), writer.module()];
    Ok(items.into_iter().collect())
}

struct Writer<'a> {
    name: String,
    /// Where everything is that the code is made of.
    private: TokenStream,
    body: Ident,
    typed: Ident,
    attributes: Sorted,
    listed: bool,
    shape: Shape,
    function: &'a ItemFn,
}

impl Writer<'_> {
    fn ident(&self) -> &Ident {
        &self.function.sig.ident
    }

    fn kinds(&self) -> impl Iterator<Item = &Type> {
        self.shape.parameters.iter().map(|parameter| &parameter.kind)
    }

    /// The type of a job's result.
    fn result(&self) -> TokenStream {
        let Self { private, .. } = self;
        match &self.shape.output {
            Output { success: Some(success), .. } => success.to_token_stream(),
            Output { whole, fallible: true, .. } => {
                let span = whole.span();
                quote_spanned!(span=> <#whole as #private::Fallible>::Value)
            }
            Output { whole, .. } => whole.to_token_stream(),
        }
    }

    fn constructor(&self) -> TokenStream {
        let Self { private, typed, .. } = self;
        let Sorted { everywhere, constructor, .. } = &self.attributes;
        let (visibility, ident, result) = (&self.function.vis, self.ident(), self.result());
        let arguments: Vec<_> = self.shape.parameters.iter().map(|one| &one.ident).collect();
        let (kinds, more_kinds) = (self.kinds(), self.kinds());
        quote! {
            #(#everywhere)*
            #(#constructor)*
            // A task may be there to be called by its name only.
            #[allow(
                dead_code,
                clippy::too_many_arguments,
                clippy::type_complexity,
                clippy::used_underscore_binding
            )]
            #visibility fn #ident(#(#arguments: #kinds),*) -> #private::Job<#result, (#(#more_kinds,)*)> {
                #typed.job(&#ident::TASK, (#(#arguments,)*))
            }
        }
    }

    /// The user's function under another name.
    fn body(&self) -> TokenStream {
        let mut function = self.function.clone();
        function.sig.ident = self.body.clone();
        let Sorted { everywhere, function: own, .. } = &self.attributes;
        function.attrs = everywhere.iter().chain(own).cloned().collect();
        quote! {
            #[doc(hidden)]
            // A task owns its arguments, whether or not it consumes them; its documentation is elsewhere.
            #[allow(
                unreachable_pub,
                clippy::missing_errors_doc,
                clippy::missing_panics_doc,
                clippy::must_use_candidate,
                clippy::needless_pass_by_value
            )]
            #function
        }
    }

    /// The task with its types. What these must be able to do is demanded at the places where they stand.
    fn typed(&self) -> TokenStream {
        let Self { private, typed, name, .. } = self;
        let (everywhere, result) = (&self.attributes.everywhere, self.result());
        let doc = text::first_sentence(&self.function.attrs);
        let Output { text: returns, whole, fallible, .. } = &self.shape.output;
        let parameters = self.shape.parameters.iter().map(|parameter| {
            let Parameter { name, text, .. } = parameter;
            quote!(#private::Parameter { name: #name, kind: #text })
        });
        let demands = self.kinds().map(|kind| {
            let span = kind.span();
            quote_spanned!(span=> #private::argument::<#kind>();)
        });
        let span = whole.span();
        let success =
            fallible.then(|| quote_spanned!(span=> #private::success::<#whole, #result>();));
        let output = quote_spanned!(span=> #private::output::<#result>());
        // The line of the function, not that of the attribute.
        let line = quote_spanned!(self.ident().span()=> ::core::line!());
        let (entry, kinds) = (self.entry(), self.kinds());
        quote! {
            #(#everywhere)*
            // It is called as the function is; that may return nothing, ever, and take and give types of any size.
            #[allow(non_upper_case_globals, unreachable_code, clippy::type_complexity)]
            const #typed: #private::Typed<(#(#kinds,)*), #result> = {
                #(#demands)*
                #success
                let task = #private::Task {
                    name: #name,
                    parameters: &[#(#parameters),*],
                    returns: #returns,
                    doc: #doc,
                    source: #private::Source {
                        module: ::core::module_path!(),
                        file: ::core::file!(),
                        line: #line,
                    },
                    entry: #entry,
                };
                #private::Typed::new(task, #output)
            };
        }
    }

    /// Turns the tuple of arguments into a call of the function, and that into a `Result`.
    fn entry(&self) -> TokenStream {
        let Self { private, body, shape, .. } = self;
        let arguments: Vec<Ident> =
            (0..shape.parameters.len()).map(|index| format_ident!("argument_{index}")).collect();
        let context = format_ident!("{}", if shape.takes_context { "context" } else { "_context" });
        let passed = shape.takes_context.then_some(&context).into_iter().chain(&arguments);
        let call = quote!(#body(#(#passed),*));
        let outcome = if shape.output.fallible {
            call
        } else {
            quote!(::core::result::Result::Ok::<_, ::core::convert::Infallible>(#call))
        };
        let (ident, kinds, result) = (self.ident(), self.kinds(), self.result());
        let span = shape.output.whole.span();
        let write = quote_spanned!(span=> #private::write::<#result, _>);
        quote! {
            |#context, form, arguments, output| {
                // Only of types that are refused is it of use.
                #[allow(unused_imports)]
                use #private::Unreadable as _;
                let reader = #private::Reader::<(#(#kinds,)*)>::new();
                let (#(#arguments,)*) = reader.read(&#ident::TASK, form, arguments)?;
                #write(form, #outcome, output)
            }
        }
    }

    fn module(&self) -> TokenStream {
        let Self { private, typed, body, name, .. } = self;
        let everywhere = &self.attributes.everywhere;
        let (visibility, ident) = (&self.function.vis, self.ident());
        let inner_visibility = seen_from_inside(visibility);
        let about = format!("The task `{name}`.");
        let about_call = format!("The function of the task `{name}` itself: it runs here and now.");
        let listing = self.listed.then(|| {
            quote! {
                #[#private::linkme::distributed_slice(#private::TASKS)]
                #[linkme(crate = #private::linkme)]
                static LISTED: &#private::Task = &TASK;
            }
        });
        quote! {
            #(#everywhere)*
            #[doc = #about]
            #visibility mod #ident {
                #[doc = #about]
                pub static TASK: #private::Task = super::#typed.task;
                #[doc = #about_call]
                #[doc(inline)]
                // Not everybody calls the function itself.
                #[allow(unused_imports)]
                #inner_visibility use super::#body as call;
                #listing
            }
        }
    }
}

/// The same visibility, written one module further in.
fn seen_from_inside(visibility: &Visibility) -> TokenStream {
    match visibility {
        Visibility::Inherited => quote!(pub(super)),
        Visibility::Restricted(restricted) => {
            let path = &restricted.path;
            match path.segments.first() {
                Some(first) if path.segments.len() == 1 && first.ident == "self" => {
                    quote!(pub(super))
                }
                Some(first) if first.ident == "self" => {
                    let rest = path.segments.iter().skip(1);
                    quote!(pub(in super #(::#rest)*))
                }
                Some(first) if first.ident == "super" => quote!(pub(in super::#path)),
                _ => visibility.to_token_stream(),
            }
        }
        Visibility::Public(_) => {
            // Without the user's place in the source, about which the compiler might complain.
            quote_spanned!(Span::call_site()=> pub)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(attribute: &str, item: &str) -> String {
        expand(attribute.parse().unwrap(), &item.parse().unwrap()).to_string()
    }

    fn items(written: &str) -> [syn::Item; 4] {
        syn::parse_file(written).unwrap().items.try_into().ok().expect("four items")
    }

    #[test]
    fn a_function_becomes_a_constructor_and_a_module_of_its_name_and_visibility() {
        let written = expanded("", "pub(crate) fn f_g(context: &Context, mut n: u8) -> u8 { n }");
        let [
            syn::Item::Fn(constructor),
            syn::Item::Fn(body),
            syn::Item::Const(typed),
            syn::Item::Mod(module),
        ] = items(&written)
        else {
            panic!("{written}")
        };
        assert_eq!(constructor.sig.ident, "f_g");
        let signature = constructor.sig.to_token_stream().to_string();
        assert_eq!(signature, "fn f_g (n : u8) -> :: brigade :: __private :: Job < u8 , (u8 ,) >");
        assert!(matches!(constructor.vis, Visibility::Restricted(_)), "{written}");
        let body = quote!(#body).to_string();
        assert!(
            body.ends_with("pub (crate) fn __f_g (context : & Context , mut n : u8) -> u8 { n }")
        );
        assert_eq!(typed.ident, "__f_g_task");
        assert_eq!(module.ident, "f_g");
        assert!(matches!(module.vis, Visibility::Restricted(_)), "{written}");
        assert!(written.contains(r#"name : "f-g""#), "{written}");
        assert!(written.contains("pub (crate) use super :: __f_g as call"), "{written}");
        assert!(written.contains("distributed_slice"), "{written}");
    }

    #[test]
    fn a_result_without_its_success_is_looked_into_by_a_trait() {
        let written = expanded("", "fn f() -> io::Result<u8> { Ok(1) }");
        assert!(written.contains("Job < u8 , () >"), "{written}");
        let written = expanded("", "fn f() -> mine::Result { Ok(1) }");
        let result = "< mine :: Result as :: brigade :: __private :: Fallible > :: Value";
        assert!(written.contains(&format!("Job < {result} , () >")), "{written}");
    }

    #[test]
    fn a_module_sees_as_far_as_the_function() {
        let cases = [
            ("", "pub (super)"),
            ("pub", "pub"),
            ("pub(crate)", "pub (crate)"),
            ("pub(self)", "pub (super)"),
            ("pub(super)", "pub (in super :: super)"),
            ("pub(in crate::a)", "pub (in crate :: a)"),
            ("pub(in super::super)", "pub (in super :: super :: super)"),
            ("pub(in self::super)", "pub (in super :: super)"),
        ];
        for (outside, inside) in cases {
            let written = seen_from_inside(&syn::parse_str(outside).unwrap()).to_string();
            assert_eq!(written, inside, "{outside}");
        }
    }

    #[test]
    fn name_and_crate_can_be_given() {
        let written = expanded(r#"name = "other", crate = crate"#, "fn f() {}");
        assert!(written.contains(r#"name : "other""#), "{written}");
        assert!(written.contains("crate :: __private :: Task"), "{written}");
        assert!(!written.contains("brigade"), "{written}");
    }

    #[test]
    fn an_unlisted_task_is_not_registered() {
        let written = expanded("unlisted", "fn f() {}");
        assert!(!written.contains("distributed_slice"), "{written}");
    }

    #[test]
    fn all_is_there_only_if_the_function_is() {
        let written = expanded("", "#[cfg(unix)] #[inline] fn f() {}");
        assert_eq!(written.matches("cfg").count(), 4, "{written}");
        assert_eq!(written.matches("[inline]").count(), 1, "{written}");
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
