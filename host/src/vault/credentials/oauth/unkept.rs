//! Refresh tokens that have taken the place of what the database has: kept as soon as it answers, and used until then.
//! The server takes no other any more, so that one which is lost here is lost for good.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Account, CredentialId, Credentials, Kept, Secret, Tokens};
use crate::db::DbError;

/// The pause before the database is asked again, and the longest: each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a host that stops waits for tokens that are being fetched and kept.
const PATIENCE: Duration = Duration::from_secs(15);

/// A refresh token that the database does not have yet.
pub(super) struct Unkept {
    /// The version whose place it takes.
    replaced: Arc<Kept>,
    secret: Secret,
}

impl Tokens {
    /// The secret of a version, as its server knows it by now.
    pub(super) fn newest(&self, kept: &Kept) -> Secret {
        let unkept = self.unkept();
        let newer = unkept.get(&kept.id).filter(|unkept| unkept.replaced.version == kept.version);
        newer.map_or(&kept.secret, |unkept| &unkept.secret).clone()
    }

    /// Keeps the refresh token that has taken the place of a version's: now, or else once the database answers. The
    /// version that is in use afterwards. Whoever calls has the credential's lock.
    pub(super) async fn keep(
        &self,
        vault: &Credentials,
        account: &Arc<Account>,
        kept: &Arc<Kept>,
        secret: Secret,
    ) -> u32 {
        if let Some(version) = self.try_to_keep(vault, account, kept, &secret).await {
            return version;
        }
        let before = self.unkept().insert(kept.id, Unkept { replaced: Arc::clone(kept), secret });
        if before.is_none() {
            self.tasks.spawn(self.clone().keep_later(vault.clone(), Arc::clone(account), kept.id));
        }
        kept.version
    }

    /// Waits until no token is being fetched or kept. False when that takes too long.
    pub(in super::super) async fn settle(&self) -> bool {
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.is_ok()
    }

    async fn keep_later(self, vault: Credentials, account: Arc<Account>, id: CredentialId) {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
            let alone = self.lock_of(id);
            let _alone = alone.lock().await;
            let unkept = self.unkept().get(&id).map(|unkept| (Arc::clone(&unkept.replaced), unkept.secret.clone()));
            let Some((kept, secret)) = unkept else { return };
            if let Some(version) = self.try_to_keep(&vault, &account, &kept, &secret).await {
                if let Some(token) = self.kept.get(&(id, kept.version)).await {
                    self.kept.insert((id, version), token).await;
                }
                return;
            }
        }
    }

    /// The version that is in use afterwards; none when the database does not answer.
    async fn try_to_keep(&self, vault: &Credentials, account: &Account, kept: &Kept, secret: &Secret) -> Option<u32> {
        let version = match vault.replace(account, kept, secret).await {
            Ok(version) => version,
            // Somebody has set another value meanwhile, which holds from now on.
            Err(DbError::Exists(_)) => {
                vault.forget(account.id, &kept.name).await;
                kept.version
            }
            Err(error) => {
                tracing::error!(credential = %kept.name, account = %account.id, %error,
                    "a refresh token that its server has replaced could not be kept yet");
                return None;
            }
        };
        self.unkept().remove(&kept.id);
        Some(version)
    }

    fn unkept(&self) -> MutexGuard<'_, HashMap<CredentialId, Unkept>> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
