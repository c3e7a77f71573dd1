//! The one error type of the domain, with the code and the words its reader meets.

use std::time::Duration;

/// Shorthand used across the domain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One part of the input that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Name of the part, as the client sent it.
    pub field: String,
    /// The rule, as a sentence.
    pub problem: String,
}

/// What can go wrong in the domain. `Display` is written for users: what happened and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thing asked for does not exist, or the asker may not know that it does.
    #[error("{0}")]
    NotFound(String),
    /// The asker is known but may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// The asker did not prove who they are.
    #[error("{0}")]
    Unauthenticated(String),
    /// The password was right, and a one-time code is needed beside it.
    #[error("Enter the code that your authenticator app shows, or one of your recovery codes.")]
    SecondFactorRequired,
    /// The input breaks a rule; the text names the rule.
    #[error("{0}")]
    Invalid(String),
    /// Named parts of the input break rules.
    #[error("{}", in_words(.0))]
    InvalidFields(Vec<FieldError>),
    /// The app name is in use, by anyone.
    #[error("The name \"{0}\" is taken. Choose another one.")]
    SlugTaken(String),
    /// A limit of the plan or the organisation is reached.
    #[error("{0}")]
    PlanLimitReached(String),
    /// A repository, or what is to be fetched from it, is not as it must be.
    #[error("{reason}")]
    Repository {
        /// Which of the given values is at fault, as the API names it: `git_url`, `git_branch`, `commit`, `token`,
        /// `host_keys`.
        field: &'static str,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The state of things does not allow this now.
    #[error("{0}")]
    Conflict(String),
    /// The wallet of the organisation is empty, or lasts for less than an hour of what would run.
    #[error(
        "The wallet of organisation \"{0}\" is empty, or has less than an hour of this costs. Have an admin of the \
         platform top it up, then try again."
    )]
    InsufficientFunds(String),
    /// Too many attempts or requests.
    #[error("{message}")]
    TooMany {
        /// What there was too much of.
        message: String,
        /// When trying again can help.
        retry_after: Duration,
    },
    /// Something outside the platform (a Git host, a mail server, a name server) failed.
    #[error("{0}")]
    Upstream(String),
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
    /// One named part of the input breaks a rule.
    pub fn field(field: &str, problem: impl Into<String>) -> Self {
        Self::InvalidFields(vec![FieldError { field: field.to_owned(), problem: problem.into() }])
    }

    /// A value of a repository that is at fault; see [`Error::Repository`].
    pub(crate) fn repository(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Repository { field, reason: reason.into() }
    }

    /// Whether the same may well work in a moment.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::PoolTimedOut | sqlx::Error::Io(_)) | Self::Blob(_))
    }

    /// The stable code of this error, as in API answers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NOT_FOUND",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::Unauthenticated(_) => "UNAUTHENTICATED",
            Self::SecondFactorRequired => "SECOND_FACTOR_REQUIRED",
            Self::Invalid(_) | Self::InvalidFields(_) => "INVALID_INPUT",
            Self::SlugTaken(_) => "SLUG_TAKEN",
            Self::PlanLimitReached(_) => "PLAN_LIMIT_REACHED",
            Self::Repository { .. } => "INVALID_GIT_URL",
            Self::Conflict(_) => "CONFLICT",
            Self::InsufficientFunds(_) => "INSUFFICIENT_FUNDS",
            Self::TooMany { .. } => "TOO_MANY_REQUESTS",
            Self::Upstream(_) => "UPSTREAM_FAILED",
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

fn in_words(fields: &[FieldError]) -> String {
    let in_words = |error: &FieldError| match error.field.as_str() {
        // A name that the client chose can be an empty one.
        "" => error.problem.clone(),
        field => format!("{field}: {}", error.problem),
    };
    let problems: Vec<String> = fields.iter().map(in_words).collect();
    problems.join(" ")
}
