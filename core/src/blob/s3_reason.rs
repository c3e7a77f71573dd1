//! Why a call to S3 failed, in words for the operator: which setting to look at, never a credential.

use std::error::Error as StdError;
use std::fmt;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// The reason behind `error`, without credentials: only the service's code and words are repeated, and of the
/// network's errors the chain of causes.
pub(super) fn reason<E, R>(error: &SdkError<E, R>, service: &str, bucket: &str) -> String
where
    E: StdError + ProvideErrorMetadata + Send + Sync + 'static,
    R: fmt::Debug + Send + Sync + 'static,
{
    match error {
        SdkError::TimeoutError(_) => {
            format!("{service} did not answer in time. Is the endpoint right (storage.s3_endpoint)?")
        }
        SdkError::DispatchFailure(failure) => {
            let cause = failure.as_connector_error().map_or_else(|| "no connection".to_owned(), |e| causes(e));
            format!("{service} cannot be reached: {cause}. Is the endpoint right (storage.s3_endpoint)?")
        }
        SdkError::ResponseError(_) => format!(
            "{service} answered something that is not S3, or broke off. Is the endpoint right (storage.s3_endpoint)?"
        ),
        SdkError::ServiceError(failure) => of_service(failure.err(), service, bucket),
        other => format!("the request could not be made: {}", causes(other)),
    }
}

fn of_service(error: &impl ProvideErrorMetadata, service: &str, bucket: &str) -> String {
    let code = error.code().unwrap_or("no code");
    match code {
        "InvalidAccessKeyId" | "InvalidClientTokenId" => {
            format!("{service} does not know the access key ({code}). Check the credentials (storage.s3_access_key)")
        }
        "SignatureDoesNotMatch" => {
            format!("{service} does not accept the secret key ({code}). Check the credentials (storage.s3_secret_key)")
        }
        "AccessDenied" | "AllAccessDisabled" | "Forbidden" => format!(
            "{service} denies access to the bucket {bucket:?} ({code}). Check the credentials \
             (storage.s3_access_key, storage.s3_secret_key) and what they may do"
        ),
        "NoSuchBucket" | "InvalidBucketName" | "NotFound" => {
            format!("{service} has no bucket {bucket:?} ({code}). Create it, or check its name (storage.s3_bucket)")
        }
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            format!("{service} has the bucket {bucket:?} in another region ({code}). Check storage.s3_region")
        }
        "RequestTimeTooSkewed" => format!("{service} says that this machine's clock is wrong ({code})"),
        _ => match error.message() {
            Some(message) => format!("{service} answered {code}: {message}"),
            None => format!("{service} refused ({code})"),
        },
    }
}

fn causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
