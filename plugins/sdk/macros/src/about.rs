//! Reads the arguments of the attribute: what the agent says of itself.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, LitStr, Token, bracketed};

/// The attribute's arguments, each with its span, so that a mistake is shown where it was made.
#[derive(Default)]
pub struct About {
    pub name: Option<LitStr>,
    pub description: Option<LitStr>,
    pub hosts: Vec<LitStr>,
    pub credentials: Vec<LitStr>,
    pub capabilities: Vec<LitStr>,
}

impl Parse for About {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut about = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            if seen.contains(&key) {
                return Err(syn::Error::new(key.span(), format!("`{key}` is given twice")));
            }
            input.parse::<Token![=]>()?;
            match key.to_string().as_str() {
                "name" => about.name = Some(agent_name(input)?),
                "description" => about.description = Some(input.parse()?),
                "hosts" => about.hosts = list(input)?,
                "credentials" => about.credentials = list(input)?,
                "capabilities" => about.capabilities = list(input)?,
                other => {
                    return Err(syn::Error::new(
                        key.span(),
                        format!(
                            "`{other}` is not an argument of `agent`; it takes `name`, `description`, \
                             `hosts`, `credentials` and `capabilities`"
                        ),
                    ));
                }
            }
            seen.push(key);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(about)
    }
}

fn list(input: ParseStream<'_>) -> syn::Result<Vec<LitStr>> {
    let content;
    bracketed!(content in input);
    let items = Punctuated::<LitStr, Token![,]>::parse_terminated_with(&content, |item| item.parse::<LitStr>())?;
    Ok(items.into_iter().collect())
}

/// A name that the API would refuse is refused here, where the author still sees the line.
fn agent_name(input: ParseStream<'_>) -> syn::Result<LitStr> {
    let literal: LitStr = input.parse()?;
    let name = literal.value();
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let valid = (1..=63).contains(&name.len())
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.chars().all(|c| edge(c) || c == '-');
    if valid {
        return Ok(literal);
    }
    Err(syn::Error::new(
        literal.span(),
        "an agent's name is 1 to 63 of a-z, 0-9 and -, and neither begins nor ends with -",
    ))
}
