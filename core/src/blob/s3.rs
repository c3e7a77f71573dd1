//! Blobs in a bucket of an S3 service, Amazon's or another's.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, MetadataDirective};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;

use super::s3_reason::reason;
use super::{BlobError, BlobInfo, BlobKey, BlobReader, BlobStore};

/// Size of the parts of a large blob, and the largest that is sent in one piece. S3 allows 10,000 parts, so
/// 160 GB a blob.
const PART: u64 = 16 * 1024 * 1024;
/// Parts sent at once.
const PARTS_AT_ONCE: usize = 3;
const TRIES: u32 = 3;
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Longest S3 may take to begin its answer once it has the whole request.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Longest one try may take, which is sending a part on a slow line.
const TRY_LIMIT: Duration = Duration::from_secs(180);
/// Longest a transfer may stand still.
const STALL_LIMIT: Duration = Duration::from_secs(20);
/// Longest undoing a failed upload may take.
const ABORT_LIMIT: Duration = Duration::from_secs(10);
/// Longest [`BlobStore::probe`] may take.
const PROBE_LIMIT: Duration = Duration::from_secs(20);

/// Where the bucket is and how to get in.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Options {
    /// Address of the service, such as `https://s3.example.com`; none for Amazon's.
    pub endpoint: Option<String>,
    /// Region of the bucket.
    pub region: String,
    /// Name of the bucket.
    pub bucket: String,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// Whether the bucket's name is part of the path rather than of the host name.
    pub path_style: bool,
    /// Local directory for blobs on their way.
    pub spool_dir: PathBuf,
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

/// The S3 backend. Cheap to clone.
#[derive(Clone, Debug)]
pub struct S3Blobs {
    client: Client,
    bucket: String,
    /// How the service is called in messages.
    service: String,
    spool_dir: PathBuf,
}

impl S3Blobs {
    /// Prepares a client. Nothing is sent before the first use: [`BlobStore::probe`] tells whether it works.
    /// Certificates are checked against the host's, or those of `SSL_CERT_FILE`.
    pub fn connect(options: &S3Options) -> Result<Self, BlobError> {
        let action = || "Preparing the S3 client".to_owned();
        std::fs::create_dir_all(&options.spool_dir).map_err(|source| BlobError::Disk { action: action(), source })?;
        if let Some(endpoint) = &options.endpoint
            && !(endpoint.starts_with("http://") || endpoint.starts_with("https://"))
        {
            return Err(BlobError::Remote {
                action: action(),
                reason: format!("the endpoint {endpoint:?} must begin with http:// or https:// (storage.s3_endpoint)"),
            });
        }
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::rustls(CryptoMode::Ring)).build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_LIMIT)
            .read_timeout(ANSWER_LIMIT)
            .operation_attempt_timeout(TRY_LIMIT)
            .build();
        let stalls = StalledStreamProtectionConfig::enabled().upload_enabled(true).grace_period(STALL_LIMIT).build();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new(options.region.clone()))
            .credentials_provider(Credentials::new(&options.access_key, &options.secret_key, None, None, "settings"))
            .force_path_style(options.path_style)
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            .timeout_config(timeouts)
            .stalled_stream_protection(stalls)
            // Other servers do not know the checksums that the client would add.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = &options.endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(Self {
            client: Client::from_conf(config.build()),
            bucket: options.bucket.clone(),
            service: options.endpoint.clone().unwrap_or_else(|| "Amazon S3".to_owned()),
            spool_dir: options.spool_dir.clone(),
        })
    }

    /// An error of this service, in words.
    fn failed<E, R>(&self, action: impl Into<String>) -> impl FnOnce(aws_sdk_s3::error::SdkError<E, R>) -> BlobError
    where
        E: std::error::Error + aws_sdk_s3::error::ProvideErrorMetadata + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        let action = action.into();
        move |error| BlobError::Remote { action, reason: reason(&error, &self.service, &self.bucket) }
    }

    async fn put_whole(&self, key: &str, body: ByteStream) -> Result<(), BlobError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).body(body).send();
        put.await.map_err(self.failed(format!("Storing {key} on S3")))?;
        Ok(())
    }

    async fn put_parts(&self, key: &str, path: &Path, bytes: u64) -> Result<(), BlobError> {
        let action = format!("Storing {key} on S3");
        let created = self.client.create_multipart_upload().bucket(&self.bucket).key(key).send().await;
        let Some(id) = created.map_err(self.failed(action.as_str()))?.upload_id else {
            return Err(BlobError::Remote { action, reason: "the service began an upload without an id".to_owned() });
        };
        let mut unfinished = Unfinished { blobs: self.clone(), key: key.to_owned(), id: Some(id.clone()) };
        let sent = self.send_parts(key, &id, path, bytes).await;
        match sent {
            Ok(()) => unfinished.id = None,
            Err(_) => unfinished.abort().await,
        }
        sent
    }

    async fn send_parts(&self, key: &str, id: &str, path: &Path, bytes: u64) -> Result<(), BlobError> {
        let action = format!("Storing {key} on S3");
        let send = async |index: u64| -> Result<CompletedPart, BlobError> {
            let offset = index * PART;
            let length = PART.min(bytes - offset);
            let body = part(path, offset, length).await.map_err(|source| spool_failed(key, source))?;
            let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
            let sent = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(id).part_number(number);
            let sent = sent.body(body).send().await.map_err(self.failed(action.as_str()))?;
            Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build())
        };
        let parts: Vec<CompletedPart> = futures_util::stream::iter((0..bytes.div_ceil(PART)).map(send))
            .buffered(PARTS_AT_ONCE)
            .try_collect()
            .await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key(key).upload_id(id);
        complete.multipart_upload(parts).send().await.map_err(self.failed(action))?;
        Ok(())
    }

    async fn try_probe(&self) -> Result<(), BlobError> {
        // First: a service may make a missing bucket when something is put into it.
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix("probe/").max_keys(1).send().await;
        list.map_err(self.failed("Listing the S3 bucket"))?;
        let key = BlobKey(format!("probe/{}", uuid::Uuid::new_v4().simple()));
        let content = b"Skypanel looks whether this bucket works.";
        self.put_bytes(&key, content).await?;
        let mut found = Vec::new();
        let (reader, _) = self.get(&key).await?;
        let read = reader.take(1024).read_to_end(&mut found).await;
        self.delete(&key).await?;
        if read.is_ok() && found == content {
            return Ok(());
        }
        Err(BlobError::Remote {
            action: "Reading back from S3".to_owned(),
            reason: format!("{} gave something else than was stored", self.service),
        })
    }
}

#[async_trait]
impl BlobStore for S3Blobs {
    fn spool(&self) -> Result<NamedTempFile, BlobError> {
        NamedTempFile::new_in(&self.spool_dir)
            .map_err(|source| BlobError::Disk { action: "Making a temporary file".to_owned(), source })
    }

    async fn put_file(&self, key: &BlobKey, file: NamedTempFile) -> Result<u64, BlobError> {
        let bytes = file.as_file().metadata().map_err(|source| spool_failed(key.as_str(), source))?.len();
        if bytes <= PART {
            let body = part(file.path(), 0, bytes).await.map_err(|source| spool_failed(key.as_str(), source))?;
            self.put_whole(key.as_str(), body).await?;
        } else {
            self.put_parts(key.as_str(), file.path(), bytes).await?;
        }
        Ok(bytes)
    }

    async fn put_bytes(&self, key: &BlobKey, bytes: &[u8]) -> Result<(), BlobError> {
        self.put_whole(key.as_str(), ByteStream::from(bytes.to_vec())).await
    }

    async fn get(&self, key: &BlobKey) -> Result<(BlobReader, u64), BlobError> {
        match self.client.get_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(found) => {
                let bytes = found.content_length.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
                Ok((Box::pin(found.body.into_async_read()), bytes))
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.code() == Some("NoSuchKey")) => {
                Err(BlobError::Missing(key.clone()))
            }
            Err(error) => Err(self.failed(format!("Reading {key} from S3"))(error)),
        }
    }

    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        match self.client.head_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(found) => Ok(found.content_length.and_then(|bytes| u64::try_from(bytes).ok())),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(self.failed(format!("Looking for {key} on S3"))(error)),
        }
    }

    async fn touch(&self, key: &BlobKey) -> Result<Option<u64>, BlobError> {
        let Some(bytes) = self.size(key).await? else { return Ok(None) };
        // A copy onto itself is allowed where it replaces something, if only the metadata with none.
        let source = format!("{}/{key}", self.bucket);
        let copy = self.client.copy_object().bucket(&self.bucket).key(key.as_str()).copy_source(source);
        match copy.metadata_directive(MetadataDirective::Replace).send().await {
            Ok(_) => Ok(Some(bytes)),
            Err(error) => {
                // Amazon does not copy more than 5 GB at once, others perhaps nothing onto itself.
                let reason = reason(&error, &self.service, &self.bucket);
                tracing::debug!(%key, reason, "a blob could not be touched; it is stored again");
                Ok(None)
            }
        }
    }

    async fn modified(&self, key: &BlobKey) -> Result<Option<DateTime<Utc>>, BlobError> {
        match self.client.head_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(found) => Ok(found.last_modified.and_then(to_chrono)),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(self.failed(format!("Looking for {key} on S3"))(error)),
        }
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobError> {
        match self.client.delete_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|error| error.code() == Some("NoSuchKey")) => Ok(()),
            Err(error) => Err(self.failed(format!("Removing {key} from S3"))(error)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError> {
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(self.failed(format!("Listing {prefix} on S3")))?;
            found.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| {
                Some(BlobInfo {
                    key: BlobKey::from_listing(object.key.as_deref()?)?,
                    bytes: object.size.and_then(|bytes| u64::try_from(bytes).ok())?,
                    modified: object.last_modified.and_then(to_chrono)?,
                })
            }));
        }
        Ok(found)
    }

    async fn probe(&self) -> Result<(), BlobError> {
        let probed = tokio::time::timeout(PROBE_LIMIT, self.try_probe()).await;
        probed.unwrap_or_else(|_| {
            Err(BlobError::Remote {
                action: "Trying the S3 bucket".to_owned(),
                reason: format!(
                    "{} did not answer within {} s. Is the endpoint right (storage.s3_endpoint)?",
                    self.service,
                    PROBE_LIMIT.as_secs()
                ),
            })
        })
    }
}

/// A multipart upload that S3 keeps, and bills, until it is completed or aborted.
struct Unfinished {
    blobs: S3Blobs,
    key: String,
    id: Option<String>,
}

impl Unfinished {
    async fn abort(&mut self) {
        let Some(id) = self.id.take() else { return };
        let abort = self.blobs.client.abort_multipart_upload().bucket(&self.blobs.bucket).key(&self.key).upload_id(id);
        match tokio::time::timeout(ABORT_LIMIT, abort.send()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let reason = reason(&error, &self.blobs.service, &self.blobs.bucket);
                tracing::warn!(key = self.key, reason, "an unfinished upload was left on S3");
            }
            Err(_) => tracing::warn!(key = self.key, "an unfinished upload was left on S3: no answer"),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // The push was cancelled in mid-upload: nobody is left to wait for this, which ends by its time limit.
        if self.id.is_some()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let mut left = Self { blobs: self.blobs.clone(), key: self.key.clone(), id: self.id.take() };
            runtime.spawn(async move { left.abort().await });
        }
    }
}

async fn part(path: &Path, offset: u64, length: u64) -> std::io::Result<ByteStream> {
    ByteStream::read_from()
        .path(path)
        .offset(offset)
        .length(Length::Exact(length))
        .buffer_size(64 * 1024)
        .build()
        .await
        .map_err(std::io::Error::other)
}

fn spool_failed(key: &str, source: std::io::Error) -> BlobError {
    BlobError::Disk { action: format!("Reading {key} on its way to S3"), source }
}

fn to_chrono(time: aws_sdk_s3::primitives::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(time.secs(), time.subsec_nanos())
}
