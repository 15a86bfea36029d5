//! Roles: what an operator's key is for. Handlers of operators name those that they ask for.

use std::fmt;
use std::str::FromStr;

use crate::words::words;

words! {
    /// What an operator's key is for.
    Role {
        /// Everything: accounts, the operator's file, and the keys of operators.
        Admin = "admin",
        /// Letters and invitations, and looking at what an account has, with a reason and for a time.
        Support = "support",
        /// Money: grants, corrections, refunds, payments.
        Billing = "billing",
        /// Statuses of accounts, keys that seal, and the audit.
        Security = "security",
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A role that there is not.
#[derive(Debug, thiserror::Error)]
#[error("there is no role `{0}`")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::of_word(text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// Roles of which a handler asks for one. An admin has them all.
pub trait OneOf: Send + Sync + 'static {
    /// The roles, besides admin's.
    const ROLES: &[Role];

    /// Whether a role is one of them.
    #[must_use]
    fn has(role: Role) -> bool {
        role == Role::Admin || Self::ROLES.contains(&role)
    }
}

macro_rules! one_of {
    ($( $(#[$doc:meta])* $name:ident: $($role:ident),*; )+) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl OneOf for $name {
            const ROLES: &[Role] = &[$( Role::$role, )*];
        }
    )+ };
}

one_of! {
    /// Admins alone.
    Admin: ;
    /// Support.
    Support: Support;
    /// Billing.
    Billing: Billing;
    /// Security.
    Security: Security;
    /// Support or security.
    SupportOrSecurity: Support, Security;
    /// Whatever the role.
    Anyone: Support, Billing, Security;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_survives_its_word_and_an_admin_has_every_one() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), *role);
            assert!(Anyone::has(*role));
            assert_eq!(Admin::has(*role), *role == Role::Admin);
        }
        assert!(Support::has(Role::Admin) && Support::has(Role::Support) && !Support::has(Role::Billing));
    }
}
