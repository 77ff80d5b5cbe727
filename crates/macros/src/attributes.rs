//! Which of the items that `#[task]` writes gets which attribute of the user's function.

use syn::punctuated::Punctuated;
use syn::{AttrStyle, Attribute, Meta, Token};

/// The attributes of a function, sorted by where they belong.
#[derive(Default)]
pub(crate) struct Sorted {
    /// When the task is there at all, and lints that are allowed in it: on everything.
    pub(crate) everywhere: Vec<Attribute>,
    /// What callers read: on the constructor of jobs.
    pub(crate) constructor: Vec<Attribute>,
    /// How the function is compiled and checked, and other macros: on the function itself.
    pub(crate) function: Vec<Attribute>,
}

impl Sorted {
    pub(crate) fn of(attributes: &[Attribute]) -> Self {
        let mut sorted = Self::default();
        for attribute in attributes {
            let place = if matches!(attribute.style, AttrStyle::Inner(_)) {
                &mut sorted.function
            } else if is_one(attribute.path(), &["cfg", "allow"]) {
                &mut sorted.everywhere
            } else if is_for_callers(attribute) {
                &mut sorted.constructor
            } else {
                &mut sorted.function
            };
            place.push(attribute.clone());
        }
        sorted
    }
}

fn is_for_callers(attribute: &Attribute) -> bool {
    let for_callers = |path: &syn::Path| is_one(path, &["doc", "deprecated"]);
    if attribute.path().is_ident("cfg_attr") {
        // What it stands for is known only later, but not what it may stand for.
        let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
        let metas = attribute.parse_args_with(parser);
        return metas.is_ok_and(|metas| metas.iter().skip(1).all(|meta| for_callers(meta.path())));
    }
    for_callers(attribute.path())
}

fn is_one(path: &syn::Path, names: &[&str]) -> bool {
    names.iter().any(|name| path.is_ident(name))
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;
    use syn::{ItemFn, parse_quote};

    use super::*;

    #[test]
    fn each_attribute_goes_where_it_belongs() {
        let function: ItemFn = parse_quote! {
            /// Text.
            #[cfg(unix)]
            #[allow(dead_code)]
            #[expect(unused)]
            #[deprecated]
            #[must_use]
            #[inline]
            #[cfg_attr(unix, doc = "More.")]
            #[cfg_attr(unix, inline)]
            #[tracing::instrument]
            fn f() { #![warn(unused)] }
        };
        let sorted = Sorted::of(&function.attrs);
        let names = |attributes: &[Attribute]| {
            let texts = attributes.iter().map(|attribute| attribute.path().to_token_stream());
            texts.map(|text| text.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(&sorted.everywhere), ["cfg", "allow"]);
        assert_eq!(names(&sorted.constructor), ["doc", "deprecated", "cfg_attr"]);
        let function =
            ["expect", "must_use", "inline", "cfg_attr", "tracing :: instrument", "warn"];
        assert_eq!(names(&sorted.function), function);
    }
}
