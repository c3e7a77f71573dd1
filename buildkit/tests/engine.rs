//! Builds against the real container engine, on a stack of a few megabytes.

mod world;

use std::path::Path;
use std::time::{Duration, Instant};

use bollard::models::ImageInspect;
use bollard::query_parameters::{CreateImageOptions, CreateImageOptionsBuilder, RemoveImageOptions};
use futures_util::TryStreamExt as _;
use skypanel_buildkit::BuildError;
use skypanel_core::blob::BlobKey;
use skypanel_core::model::{Artifact, ProcessType, Sha256Digest};
use tokio_util::sync::CancellationToken;
use world::{World, source};

impl World {
    /// Lets the engine pull the app's image, as a release would.
    async fn pull(&self, image: Sha256Digest) -> ImageInspect {
        let reference = format!("{}/{}@{image}", self.endpoint, self.app.slug);
        let options = CreateImageOptionsBuilder::new().from_image(&reference).build();
        let pulled = self.engine.create_image(Some(options), None, None).try_collect::<Vec<_>>().await;
        pulled.expect("the engine takes the image");
        self.engine.inspect_image(&reference).await.expect("is there")
    }

    async fn failure(&self, files: &[(&str, &str)]) -> (BuildError, String) {
        let outcome = self.build(&source(files)).await;
        (outcome.result.expect_err("must fail"), outcome.log)
    }
}

fn commands(artifact: &Artifact) -> Vec<(&str, &str)> {
    artifact.processes.iter().map(|(process, command)| (process.as_str(), command.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_becomes_a_slug_and_an_image_the_engine_takes() {
    let mut world = World::small("slug").await;
    world.config.insert("GREETING".parse().expect("a key"), b"hello from a var\n".to_vec().into());
    world.settings.set("build.http_proxy", "http://proxy.test:1").expect("sets");
    let build = "#!/bin/bash
cat /tmp/env/GREETING; stat -c %a:%u /tmp/env/GREETING; id -u; stat -c %u .
while read -r line; do case $line in CapEff*|CapBnd*|NoNewPrivs*) echo $line;; esac; done < /proc/self/status
echo \"proxy $HTTP_PROXY $http_proxy commit $SOURCE_VERSION ca $SSL_CERT_FILE stack $STACK\"
[ -s $SSL_CERT_FILE ] && echo 'has a CA bundle'
ls /var/run/docker.sock || echo 'no engine socket'
mkdir -p bin; ln -s /bin/bash bin/sh; echo built > bin/out; ln bin/out bin/hard; mkfifo pipe
printf 'default_process_types:\\n  web: not this\\n  clock: tick\\n' > .release
echo to stderr >&2
";
    let files = [("Procfile", "web: ./start\nworker: ./work\n"), ("build.sh", build), ("dir/ü\n file", "x")];
    let first = world.build(&source(&files)).await;
    let artifact = first.result.unwrap_or_else(|error| panic!("{error:?}\n{}", first.log));
    for words in [
        "-----> Test app detected\n",
        "hello from a var\n400:10001\n10001\n10001\n",
        "NoNewPrivs: 1",
        "CapEff: 0000000000000000",
        "CapBnd: 0000000000000000",
        "proxy http://proxy.test:1 http://proxy.test:1 commit 0123456789012345678901234567890123456789",
        "has a CA bundle\n",
        "docker.sock': No such file or directory\nno engine socket\n",
        "to stderr\n",
        "-----> Compressing...\n       Done: ",
    ] {
        assert!(first.log.contains(words), "{words:?} in\n{}", first.log);
    }
    assert_eq!(commands(&artifact), [("clock", "tick"), ("web", "./start"), ("worker", "./work")]);
    assert_eq!(artifact.buildpack, "test");

    let files_of_slug = world.slug(artifact.slug.expect("has a slug")).await;
    assert_eq!(files_of_slug[Path::new("app/dir/ü\n file")], b"x");
    assert_eq!(files_of_slug[Path::new("app/bin/sh")], b"/bin/bash");
    let linked = [&files_of_slug[Path::new("app/bin/hard")][..], &files_of_slug[Path::new("app/bin/out")]];
    assert!(linked.contains(&&b"built\n"[..]), "one is the file and the other a link to it");
    assert!(!files_of_slug.contains_key(Path::new("app/pipe")));

    let image = world.pull(artifact.image).await;
    let config = image.config.expect("has one");
    assert_eq!(config.user.as_deref(), Some("app"));
    assert_eq!(config.working_dir.as_deref(), Some("/app"));
    assert_eq!(config.entrypoint, Some(vec!["/.skypanel/init".to_owned()]));
    assert_eq!(image.root_fs.and_then(|files| files.layers).map(|layers| layers.len()), Some(3));

    // The same source gives the same slug and image, byte for byte, and nothing is left in the engine.
    let second = world.build(&source(&files)).await.result.expect("builds");
    assert_eq!((second.slug, second.image), (artifact.slug, artifact.image));
    assert!(world.containers().await.is_empty());
    let needed = world.kit.images_in_use();
    assert_eq!(needed.len(), 2);
    for image in needed {
        assert!(world.blobs.size(&BlobKey::image(image)).await.expect("looks").is_some());
    }
    world.tear_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_say_why_and_leave_nothing() {
    let mut world = World::small("failures").await;
    let procfile = ("Procfile", "web: ./start\n");

    let (error, log) = world.failure(&[procfile, ("build.sh", "echo ' !     it broke'; exit 3")]).await;
    assert!(matches!(error, BuildError::Failed { status: 3 }), "{error:?}");
    assert!(log.ends_with(" !     it broke\n"), "{log}");
    assert!(!error.is_retryable());

    let (error, _) = world.failure(&[("readme", "nothing runs")]).await;
    assert!(error.to_string().contains("Add a file named Procfile"), "{error}");

    let (error, _) = world.failure(&[("Procfile", "web ./start\n")]).await;
    assert!(error.to_string().contains("line 1 is not of the form"), "{error}");

    let (error, _) = world.failure(&[procfile, ("build.sh", "echo x > .wh.secret")]).await;
    assert!(error.to_string().contains(".wh.secret"), "{error}");

    world.settings.set("slug.max_mb", "1").expect("sets");
    let random = "mkdir -p big/data; dd if=/dev/urandom of=big/data/x bs=1M count=3 2>&1";
    let (error, _) = world.failure(&[procfile, ("build.sh", random)]).await;
    let text = error.to_string();
    assert!(text.contains("it may have 1 MB") && text.contains(".slugignore"), "{text}");
    assert!(text.contains("/big/data (3.0 MB)"), "{text}");
    assert_eq!(error.code(), "SLUG_TOO_BIG");
    // What compresses well must not fill the disk where it is unpacked.
    let zeros = "dd if=/dev/zero of=zeros bs=1M count=30 2>&1";
    let (error, _) = world.failure(&[procfile, ("build.sh", zeros)]).await;
    assert_eq!(error.code(), "SLUG_TOO_BIG");
    assert!(error.to_string().contains("/zeros (30.0 MB)"), "{error}");

    world.settings.set("build.memory_mb", "128").expect("sets");
    let hungry = "x=$(dd if=/dev/zero bs=1M count=400 2>/dev/null | while read -r -N 1000000 y; do :; done); \
                  a=0123456789; for i in 1 2 3 4 5 6 7 8 9; do a=$a$a$a$a$a$a$a$a; done";
    let (error, _) = world.failure(&[procfile, ("build.sh", hungry)]).await;
    assert!(matches!(error, BuildError::OutOfMemory { limit_mb: 128 }), "{error:?}");
    assert!(error.to_string().contains("build.memory_mb"), "{error}");

    world.settings.set("build.timeout_seconds", "10").expect("sets");
    let started = Instant::now();
    let (error, log) = world.failure(&[procfile, ("build.sh", "echo waiting; sleep 600")]).await;
    assert!(matches!(error, BuildError::OutOfTime { limit_seconds: 10 }), "{error:?}");
    assert!(log.contains("waiting"), "{log}");
    assert!(started.elapsed() < Duration::from_mins(1));

    let cancel = CancellationToken::new();
    let soon = cancel.clone();
    let canceller = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        soon.cancel();
    });
    let outcome = world.build_until(&source(&[procfile, ("build.sh", "sleep 600")]), &cancel).await;
    canceller.await.expect("cancels");
    assert!(matches!(outcome.result, Err(BuildError::Cancelled)), "{:?}", outcome.result);

    let deployment = world.push(&source(&[procfile])).await;
    world.blobs.delete(&deployment.source_key()).await.expect("deletes");
    let outcome = world.build_deployment(deployment, &CancellationToken::new()).await;
    assert!(matches!(outcome.result, Err(BuildError::SourceMissing)), "{:?}", outcome.result);

    assert!(world.containers().await.is_empty());
    world.tear_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_outlives_builds_and_its_volume() {
    let mut world = World::small("caches").await;
    let build = "if [ -f /tmp/cache/kept ]; then echo \"found $(cat /tmp/cache/kept)\"; else echo 'no cache'; fi
echo treasure > /tmp/cache/kept";
    let files = source(&[("Procfile", "web: ./start\n"), ("build.sh", build)]);
    let log = |outcome: world::Outcome| {
        assert!(outcome.result.is_ok(), "{:?}", outcome.result);
        outcome.log
    };

    let first = world.build(&files).await;
    assert!(first.log.contains("no cache"), "{}", first.log);
    assert!(log(world.build(&files).await).contains("found treasure"));
    let mut deployment = first.deployment.clone();
    deployment.slug_digest = first.result.expect("built").slug;
    world.kit.save_cache(&world.app, &deployment, &world.settings).await.expect("saves");
    assert_eq!(world.volumes().await.len(), 1);

    // The volume is lost: another build host, or somebody pruned.
    for volume in world.volumes().await {
        world.remove_volume(&volume).await;
    }
    let restored = log(world.build(&files).await);
    assert!(
        restored.contains("-----> Restoring the build cache\n") && restored.contains("found treasure"),
        "{restored}"
    );

    // A stored cache that is damaged costs time only.
    let stored = world.store.caches_in_use().await.expect("lists");
    world.blobs.put_bytes(&BlobKey::cache(stored[0]), b"no tar at all").await.expect("stores");
    for volume in world.volumes().await {
        world.remove_volume(&volume).await;
    }
    let rebuilt = log(world.build(&files).await);
    assert!(rebuilt.contains("could not be restored") && rebuilt.contains("no cache"), "{rebuilt}");

    let mut anew = world.push(&files).await;
    anew.no_cache = true;
    assert!(log(world.build_deployment(anew, &CancellationToken::new()).await).contains("no cache"));
    assert!(log(world.build(&files).await).contains("found treasure"));

    world.kit.purge_cache(world.app.id).await.expect("purges");
    assert!(world.volumes().await.is_empty());
    assert!(world.store.caches_in_use().await.expect("lists").is_empty());

    world.settings.set("cache.enabled", "false").expect("sets");
    assert!(log(world.build(&files).await).contains("no cache"));
    assert!(world.volumes().await.is_empty(), "without a cache there is no volume");

    // A cache of an app that is gone, and a container of a worker that died.
    world.settings.set("cache.enabled", "true").expect("sets");
    log(world.build(&files).await);
    world.leave_container().await;
    assert_eq!((world.containers().await.len(), world.volumes().await.len()), (1, 1));
    world.kit.remove_leftovers().await.expect("removes");
    assert_eq!((world.containers().await.len(), world.volumes().await.len()), (0, 1));
    world.store.delete_app(world.app.id).await.expect("deletes");
    world.kit.remove_leftovers().await.expect("removes");
    assert!(world.volumes().await.is_empty());
    world.tear_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dockerfile_is_built_by_the_engine_and_honoured() {
    let world = World::small("dockerfile").await;
    let base = world.stack_reference();
    let dockerfile = format!(
        "FROM {base}\nWORKDIR /srv\nCOPY --chown=app:app hello /srv/hello\nRUN echo ran by $(id -u)\nENV COLOUR=red\n\
         EXPOSE 8000\nCMD [\"/bin/cat\", \"/srv/hello\"]\n"
    );
    let files = source(&[("Dockerfile", dockerfile.as_str()), ("hello", "hello\n")]);
    let outcome = world.build(&files).await;
    let artifact = outcome.result.unwrap_or_else(|error| panic!("{error:?}\n{}", outcome.log));
    assert!(outcome.log.contains("       Step 1/7 : FROM"), "{}", outcome.log);
    assert!(outcome.log.contains("       ran by 10001\n"), "{}", outcome.log);
    assert!(!outcome.log.contains("--->") || !outcome.log.contains("Running in"), "{}", outcome.log);
    assert_eq!((artifact.buildpack.as_str(), artifact.slug), ("dockerfile", None));
    assert_eq!(artifact.processes.get(&ProcessType::web()).map(String::as_str), Some(""));

    let image = world.pull(artifact.image).await;
    let config = image.config.expect("has one");
    assert_eq!(config.cmd, Some(vec!["/bin/cat".to_owned(), "/srv/hello".to_owned()]));
    assert_eq!(config.working_dir.as_deref(), Some("/srv"));
    assert_eq!(config.exposed_ports, Some(vec!["8000/tcp".to_owned()]));
    assert!(config.env.is_some_and(|env| env.contains(&"COLOUR=red".to_owned())));
    assert_eq!(config.user.as_deref(), Some("app"));

    let again = world.build(&files).await;
    assert!(again.log.contains("(cached)"), "{}", again.log);
    assert_eq!(again.result.expect("builds").image, artifact.image);

    // A Procfile says what runs instead; a chosen buildpack makes the Dockerfile a file like others.
    let with_procfile = [("Dockerfile", dockerfile.as_str()), ("hello", "x"), ("Procfile", "worker: work\n")];
    let artifact = world.build(&source(&with_procfile)).await.result.expect("builds");
    assert_eq!(commands(&artifact), [("worker", "work")]);
    let chosen = [("Dockerfile", "nonsense"), (".buildpacks", "heroku/test"), ("Procfile", "web: x\n")];
    assert_eq!(world.build(&source(&chosen)).await.result.expect("builds").buildpack, "test");

    let broken = format!("FROM {base}\nRUN echo before; exit 7\n");
    let (error, log) = world.failure(&[("Dockerfile", &broken)]).await;
    let text = error.to_string();
    assert!(text.contains("Step 2/2 : RUN") && text.contains("code: 7"), "{text}");
    assert!(log.contains("       before\n"), "{log}");
    let (error, _) = world.failure(&[("Dockerfile", "FROM skypanel.test/no-such-image\n")]).await;
    assert!(error.to_string().contains("could not be pulled"), "{error}");
    let (error, _) = world.failure(&[("Dockerfile", "FRM x\n")]).await;
    assert!(matches!(error, BuildError::Dockerfile { .. }), "{error:?}");

    assert_eq!(world.built_images().await, 1, "the newest stays for its layers");
    world.kit.purge_cache(world.app.id).await.expect("purges");
    assert_eq!(world.built_images().await, 0);
    assert!(world.containers().await.is_empty());
    world.tear_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_image_with_instructions_of_its_own_is_refused() {
    let world = World::small("onbuild").await;
    let base = world.stack_reference();
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some("skypanel-test-onbuild".to_owned()),
        tag: Some("1".to_owned()),
        changes: vec!["ONBUILD ADD http://127.0.0.1/ /x".to_owned()],
        ..CreateImageOptions::default()
    };
    let nothing = bollard::body_full(vec![0; 1024].into());
    let made = world.engine.create_image(Some(options), Some(nothing), None).try_collect::<Vec<_>>().await;
    made.expect("the engine makes the image");
    let dockerfile = format!("FROM {base} AS first\nRUN echo ran\nFROM skypanel-test-onbuild:1\nCOPY hello /\n");
    let outcome = world.build(&source(&[("Dockerfile", &dockerfile), ("hello", "x")])).await;
    let removed = world.engine.remove_image("skypanel-test-onbuild:1", None::<RemoveImageOptions>, None).await;
    removed.expect("the engine removes the image");
    let error = outcome.result.expect_err("must fail").to_string();
    assert!(error.contains("FROM skypanel-test-onbuild:1") && error.contains("ONBUILD"), "{error}");
    assert!(!outcome.log.contains("Step 1"), "{}", outcome.log);

    let dockerfile = format!("FROM --platform=linux/s390x {base}\nCOPY hello /\n");
    let (error, _) = world.failure(&[("Dockerfile", &dockerfile), ("hello", "x")]).await;
    assert!(error.to_string().contains("say --platform=linux/"), "{error}");
    world.tear_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_a_dockerfile_trust_what_the_operator_trusts() {
    let mut world = World::small("trust").await;
    let base = world.stack_reference();
    // The stack of these tests has no certificates of its own.
    let fetch = "curl -fsS https://pypi.org/simple/six/ -o /tmp/page && echo fetched";
    let dockerfile = format!(
        "# escape=`\n# the first stage\nfrom {base} `\n  # with a comment\n  as first\nRUN {fetch}\n\
         FROM scratch AS empty\nCOPY hello /\n\
         FROM {base}\nCOPY --from=first /tmp/page /page\nCOPY . /context/\nRUN {fetch} && ls -A /context\n"
    );
    let files = [("Dockerfile", dockerfile.as_str()), ("hello", "x"), (".skypanel.Dockerfile", "FROM nothing\n")];
    // The engine may remember the steps of an earlier run of this test.
    let mut anew = world.push(&source(&files)).await;
    anew.no_cache = true;
    let outcome = world.build_deployment(anew, &CancellationToken::new()).await;
    let artifact = outcome.result.unwrap_or_else(|error| panic!("{error:?}\n{}", outcome.log));
    assert_eq!(outcome.log.matches("       fetched\n").count(), 2, "{}", outcome.log);
    assert!(outcome.log.contains("       Step 8/8 : RUN"), "{}", outcome.log);
    assert!(!outcome.log.contains("SSL_CERT_FILE") && !outcome.log.contains("skypanel-build"), "{}", outcome.log);
    // Nothing of ours comes with the context.
    assert!(outcome.log.contains("       Dockerfile\n       hello\n"), "{}", outcome.log);
    let config = world.pull(artifact.image).await.config.expect("has one");
    assert_eq!(config.env.unwrap_or_default().iter().filter(|variable| variable.contains("CERT")).count(), 0);

    let (error, log) = world.failure(&[("Dockerfile", &format!("FROM {base}\nRUN cat /nothing\n"))]).await;
    assert!(error.to_string().contains("Step 2/2 : RUN cat /nothing"), "{error}");
    assert!(log.contains("Step 1/2 : FROM"), "{log}");
    let (error, _) = world.failure(&[("Dockerfile", &format!("FROM {base}\nRUN a\n\nFRM x\n"))]).await;
    assert!(error.to_string().contains("line 4: unknown instruction"), "{error}");

    world.settings.set("build.ca_bundle", "image").expect("sets");
    let (error, log) = world.failure(&[("Dockerfile", &format!("FROM {base}\nRUN {fetch}\n"))]).await;
    assert!(error.to_string().contains("Step 2/2 : RUN curl"), "{error}");
    assert!(log.contains("certificate"), "{log}");

    world.kit.purge_cache(world.app.id).await.expect("purges");
    world.kit.remove_leftovers().await.expect("removes");
    world.tear_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dockerignore_keeps_files_out_of_the_build() {
    let mut world = World::small("ignore").await;
    let dockerfile = format!("FROM {}\nCOPY . /srv/\nRUN cd /srv && echo * .[a-z]* */*\n", world.stack_reference());
    let ignore = "# not needed\nDockerfile\n*.md\n!README.md\nnode_modules\n**/*.log\n";
    let files = [
        (".dockerignore", ignore),
        ("Dockerfile", dockerfile.as_str()),
        ("README.md", "x"),
        ("a.log", "x"),
        ("lib/b.log", "x"),
        ("lib/code", "x"),
        ("node_modules/d/x", "x"),
        ("notes.md", "x"),
    ];
    for trust in ["host", "image"] {
        world.settings.set("build.ca_bundle", trust).expect("sets");
        let outcome = world.build(&source(&files)).await;
        assert!(outcome.result.is_ok(), "{:?}\n{}", outcome.result, outcome.log);
        assert!(outcome.log.contains("       README.md lib .dockerignore lib/code\n"), "{}", outcome.log);
    }
    let with_all = [(".dockerignore", "*\n!lib/code\n"), files[1], files[5], files[7]];
    let outcome = world.build(&source(&with_all)).await;
    assert!(outcome.log.contains("       lib .[a-z]* lib/code\n"), "{}", outcome.log);
    let (error, _) = world.failure(&[(".dockerignore", "a\n[b\n"), files[1]]).await;
    assert!(error.to_string().contains("The pattern \"[b\" is not complete"), "{error}");

    world.kit.purge_cache(world.app.id).await.expect("purges");
    world.tear_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_a_dockerfile_may_have_so_many_processes_only() {
    let mut world = World::small("processes").await;
    world.settings.set("build.max_processes", "32").expect("sets");
    // The limit comes a moment after the step has started. Its place depends on the version of cgroups.
    let limited = "for i in {1..100}; do \
         [[ $(cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null) == 32 ]] && break; sleep 0.1; done";
    let many = |count| {
        format!(
            "FROM {}\nRUN {limited}; for i in $(echo {{1..{count}}}); do sleep 2 & done; wait; echo all of them\n",
            world.stack_reference()
        )
    };
    let outcome = world.build(&source(&[("Dockerfile", &many(20))])).await;
    assert!(outcome.result.is_ok() && outcome.log.contains("all of them\n"), "{}", outcome.log);
    let (_, log) = world.failure(&[("Dockerfile", &many(60))]).await;
    assert!(log.contains("fork"), "{log}");
    world.kit.purge_cache(world.app.id).await.expect("purges");
    world.tear_down().await;
}
