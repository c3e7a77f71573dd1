//! The one error type of the domain, with the code and the words its reader meets.

/// Shorthand used across the domain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the domain. `Display` is written for users: what happened and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thing asked for does not exist, or the asker may not know that it does.
    #[error("{0}")]
    NotFound(String),
    /// The asker is known but may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// The input breaks a rule; the text names the rule.
    #[error("{0}")]
    Invalid(String),
    /// The app name is in use, by anyone.
    #[error("The name \"{0}\" is taken. Choose another one.")]
    SlugTaken(String),
    /// A limit of the plan or the organisation is reached.
    #[error("{0}")]
    PlanLimitReached(String),
    /// The state of things does not allow this now.
    #[error("{0}")]
    Conflict(String),
    /// The wallet of the organisation is empty.
    #[error("The wallet of organisation \"{0}\" is empty. Top it up, then try again.")]
    InsufficientFunds(String),
    /// Postgres failed or could not be reached.
    #[error(
        "The database did not answer as expected. Try again; if it stays, the operator finds the reason in Skypanel's log."
    )]
    Database(#[source] sqlx::Error),
    /// The blob store failed or could not be reached.
    #[error("The blob store failed: {0}")]
    Blob(#[from] crate::blob::BlobError),
    /// A secret could not be opened or sealed.
    #[error("A stored secret could not be decrypted. Is the master key the one it was written with?")]
    Secret,
    /// Something on this machine failed: a file, a process, a port.
    #[error("{0}")]
    System(String),
}

impl Error {
    /// The stable code of this error, as in API answers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NOT_FOUND",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::Invalid(_) => "INVALID_INPUT",
            Self::SlugTaken(_) => "SLUG_TAKEN",
            Self::PlanLimitReached(_) => "PLAN_LIMIT_REACHED",
            Self::Conflict(_) => "CONFLICT",
            Self::InsufficientFunds(_) => "INSUFFICIENT_FUNDS",
            Self::Database(_) => "DATABASE_ERROR",
            Self::Blob(_) => "STORAGE_ERROR",
            Self::Secret => "SECRET_ERROR",
            Self::System(_) => "SYSTEM_ERROR",
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
