//! The custody of credentials: what is sealed opens in its place and nowhere else, and access tokens are fetched once.

mod oauth;
mod sealed;
