//! Writes the code around the author's function: `describe`, `run` and their export.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, ItemFn, ReturnType};

use crate::about::About;

/// The author's function, unchanged, followed by the component that exports it.
pub fn agent(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let about: About = syn::parse2(arguments)?;
    let function: ItemFn = syn::parse2(item)?;
    check(&function)?;
    let name = match &about.name {
        Some(name) => quote!(#name),
        None => quote!(::core::env!("CARGO_PKG_NAME")),
    };
    let description = match &about.description {
        Some(description) => quote!(#description),
        None => quote!(::core::env!("CARGO_PKG_DESCRIPTION")),
    };
    let (hosts, credentials) = (&about.hosts, &about.credentials);
    let capabilities = &about.capabilities;
    // The call carries the function's span: a type that lacks a trait is reported at its signature.
    let called = function.sig.ident.clone();
    let describe = quote_spanned!(function.sig.span()=> ::aaasp_sdk::guest::describe(&ABOUT, #called));
    let run = quote_spanned!(function.sig.span()=> ::aaasp_sdk::guest::run(#called, &input));
    Ok(quote! {
        #function

        const _: () = {
            const ABOUT: ::aaasp_sdk::guest::About = ::aaasp_sdk::guest::About {
                name: #name,
                description: #description,
                hosts: &[#(#hosts),*],
                credentials: &[#(#credentials),*],
                capabilities: &[#(#capabilities),*],
            };

            struct Component;

            impl ::aaasp_sdk::guest::Guest for Component {
                fn describe() -> ::aaasp_sdk::guest::Manifest {
                    #describe
                }

                fn run(
                    input: ::std::string::String,
                ) -> ::core::result::Result<::std::string::String, ::aaasp_sdk::Failure> {
                    #run
                }
            }

            // Only a component has exports; a native build is there for the author's tests.
            #[cfg(target_family = "wasm")]
            ::aaasp_sdk::guest::export!(Component with_types_in ::aaasp_sdk::guest);
        };
    })
}

fn check(function: &ItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    if let Some(asyncness) = &signature.asyncness {
        return Err(syn::Error::new(asyncness.span(), "an agent's function is not async: a run is one call"));
    }
    if !signature.generics.params.is_empty() {
        return Err(syn::Error::new(
            signature.generics.span(),
            "an agent's function is not generic: its types are its JSON Schemas",
        ));
    }
    let takes_one = signature.inputs.len() == 1 && matches!(signature.inputs.first(), Some(FnArg::Typed(_)));
    if !takes_one {
        return Err(syn::Error::new(signature.inputs.span(), "an agent's function takes one argument: its input"));
    }
    if matches!(signature.output, ReturnType::Default) {
        return Err(syn::Error::new(signature.span(), "an agent's function returns `Result<Output, Failure>`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use quote::quote;

    fn refusal(arguments: proc_macro2::TokenStream, item: proc_macro2::TokenStream) -> String {
        super::agent(arguments, item).unwrap_err().to_string()
    }

    #[test]
    fn the_function_stays_callable_and_the_component_is_exported() {
        let expanded = super::agent(
            quote!(name = "adder", description = "Adds", hosts = ["a.example", "b.example"],),
            quote!(
                fn add(input: Input) -> Result<Output, Failure> {
                    Ok(Output)
                }
            ),
        )
        .unwrap()
        .to_string();
        let file: syn::File = syn::parse_str(&expanded).unwrap();
        assert!(matches!(&file.items[0], syn::Item::Fn(f) if f.sig.ident == "add"));
        assert!(expanded.contains("\"adder\""));
        assert!(expanded.contains("\"b.example\""));
        assert!(expanded.contains("export !"));
    }

    #[test]
    fn an_unknown_argument_is_named_with_those_there_are() {
        let refused = refusal(
            quote!(host = ["a"]),
            quote!(
                fn f(i: I) -> Result<O, E> {
                    todo()
                }
            ),
        );
        assert!(refused.contains("`host`") && refused.contains("`hosts`"), "{refused}");
    }

    #[test]
    fn an_argument_given_twice_is_refused() {
        let refused = refusal(
            quote!(name = "a", name = "b"),
            quote!(
                fn f(i: I) -> Result<O, E> {
                    todo()
                }
            ),
        );
        assert!(refused.contains("twice"), "{refused}");
    }

    #[test]
    fn a_name_that_the_api_would_refuse_is_refused() {
        for name in ["", "Adder", "-a", "a-", "a b"] {
            let refused = refusal(
                quote!(name = #name),
                quote!(
                    fn f(i: I) -> Result<O, E> {
                        x()
                    }
                ),
            );
            assert!(refused.contains("a-z, 0-9"), "{name:?}: {refused}");
        }
    }

    #[test]
    fn a_function_of_the_wrong_shape_is_refused_with_the_reason() {
        for (item, reason) in [
            (
                quote!(
                    async fn f(i: I) -> Result<O, E> {
                        x()
                    }
                ),
                "async",
            ),
            (
                quote!(
                    fn f<T>(i: T) -> Result<O, E> {
                        x()
                    }
                ),
                "generic",
            ),
            (
                quote!(
                    fn f() -> Result<O, E> {
                        x()
                    }
                ),
                "one argument",
            ),
            (
                quote!(
                    fn f(a: A, b: B) -> Result<O, E> {
                        x()
                    }
                ),
                "one argument",
            ),
            (
                quote!(
                    fn f(i: I) {}
                ),
                "Result<Output, Failure>",
            ),
        ] {
            let refused = refusal(quote!(), item);
            assert!(refused.contains(reason), "{reason}: {refused}");
        }
    }
}
