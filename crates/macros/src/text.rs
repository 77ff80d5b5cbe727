//! Source to text for people: types without needless spaces, the first sentence of a doc comment.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The tokens of a type as a person would write them: `Vec<u8>`, not `Vec < u8 >`.
pub(crate) fn of_type(tokens: TokenStream) -> String {
    let mut text = String::new();
    write_tokens(tokens, &mut text);
    text
}

/// What the next token needs to know of the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Word,
    /// A comma and the like: a space follows, if anything does.
    Separator,
    /// The first half of `->` or `::`: whatever comes, it comes at once.
    Joint,
    Other,
}

fn write_tokens(tokens: TokenStream, text: &mut String) {
    let mut before = Before::Nothing;
    for token in tokens {
        let is_word = matches!(token, TokenTree::Ident(_) | TokenTree::Literal(_));
        if before == Before::Separator || (before == Before::Word && is_word) {
            text.push(' ');
        }
        before = match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write_tokens(group.stream(), text);
                text.push_str(close);
                Before::Other
            }
            TokenTree::Punct(punct) => write_punct(punct.as_char(), punct.spacing(), before, text),
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                text.push_str(&token.to_string());
                Before::Word
            }
        };
    }
}

fn write_punct(punct: char, spacing: Spacing, before: Before, text: &mut String) -> Before {
    let spaced = match punct {
        '-' => spacing == Spacing::Joint,
        '=' | '+' => true,
        _ => false,
    };
    if spaced && !text.ends_with(' ') {
        text.push(' ');
    }
    text.push(punct);
    match punct {
        ',' | ';' | '=' | '+' => Before::Separator,
        '>' if before == Before::Joint => Before::Separator,
        '-' | ':' if spacing == Spacing::Joint => Before::Joint,
        ':' if before != Before::Joint => Before::Separator,
        _ => Before::Other,
    }
}

/// The first sentence of a doc comment, on one line; empty if there is none.
pub(crate) fn first_sentence(attributes: &[Attribute]) -> String {
    let mut paragraph = String::new();
    for line in attributes.iter().filter_map(doc_of) {
        // A block comment is one attribute of many lines.
        for line in line.split('\n').map(str::trim) {
            if !line.is_empty() {
                let space = if paragraph.is_empty() { "" } else { " " };
                paragraph.extend([space, line]);
            } else if !paragraph.is_empty() {
                return cut_sentence(paragraph);
            }
        }
    }
    cut_sentence(paragraph)
}

fn doc_of(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else { return None };
    pair.path.is_ident("doc").then(|| text.value())
}

/// A sentence ends with a full stop before a capital letter, so that "e.g. this" does not end one.
fn cut_sentence(mut paragraph: String) -> String {
    let end = paragraph
        .match_indices(". ")
        .find(|(at, stop)| paragraph[at + stop.len()..].starts_with(char::is_uppercase));
    if let Some((at, _)) = end {
        paragraph.truncate(at + 1);
    }
    paragraph
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::{ItemFn, parse_quote};

    use super::*;

    #[test]
    fn types_read_as_written_by_hand() {
        let cases = [
            (quote!(Vec<u8>), "Vec<u8>"),
            (quote!(std::collections::HashMap<String, Vec<(u8, f64)>>), {
                "std::collections::HashMap<String, Vec<(u8, f64)>>"
            }),
            (quote!([u8; 16]), "[u8; 16]"),
            (quote!((f64,)), "(f64,)"),
            (quote!(()), "()"),
            (quote!(Option<::std::time::Duration>), "Option<::std::time::Duration>"),
            (quote!(Box<dyn Fn(u8) -> u64 + Send>), "Box<dyn Fn(u8) -> u64 + Send>"),
            (quote!(<T as Iterator>::Item), "<T as Iterator>::Item"),
            (quote!(Box<dyn Iterator<Item = u8>>), "Box<dyn Iterator<Item = u8>>"),
        ];
        for (tokens, text) in cases {
            assert_eq!(of_type(tokens), text);
        }
    }

    #[test]
    fn doc_is_the_first_sentence_on_one_line() {
        let function: ItemFn = parse_quote! {
            /// Waits, e.g. for a
            /// while. Then it goes on.
            ///
            /// More.
            fn f() {}
        };
        assert_eq!(first_sentence(&function.attrs), "Waits, e.g. for a while.");
    }

    #[test]
    fn doc_ends_with_its_paragraph() {
        let function: ItemFn = parse_quote! {
            #[doc = " Adds numbers\n\n More."]
            fn f() {}
        };
        assert_eq!(first_sentence(&function.attrs), "Adds numbers");
    }

    #[test]
    fn no_doc_is_empty() {
        let function: ItemFn = parse_quote! { #[inline] fn f() {} };
        assert_eq!(first_sentence(&function.attrs), "");
    }
}
