//! The drain of a Private Space carries the logs of all its apps.

use super::{R14, batch, frame, status, trouble};
use crate::service::{KEY, Service, deletes, shop};

/// Three reports of web.1 in lines with this host name.
fn trouble_of(host: &str) -> String {
    [40, 20, 0].map(|ago| relabelled(&frame(ago, "web.1", R14), host)).concat()
}

fn relabelled(frame: &str, host: &str) -> String {
    let message = frame.split_once(' ').expect("a length").1.replace(" host ", &format!(" {host} "));
    format!("{} {message}", message.len())
}

#[tokio::test(start_paused = true)]
async fn lines_of_another_app_are_not_the_trouble_of_this_one_and_that_is_logged_once() {
    let (heroku, _) = shop(1).await;
    let blog = heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    for host in ["blog.acme", "other-app.acme", "blog", "blog.acme"] {
        assert_eq!(status(batch(&service, "app=shop", trouble_of(host)).bearer_auth(KEY)).await, 204, "{host}");
    }
    assert_eq!(service.log.count("carries the log of blog, too; errors in lines of blog are ignored"), 1);
    assert_eq!(service.log.count("carries the log of other-app, too"), 1);
    service.stop().await;
    assert_eq!((deletes(&heroku), blog.restarts().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn lines_of_the_app_or_of_a_host_that_names_none_count() {
    for host in
        ["host", "shop.acme", "shop", "d.01234567-89ab-cdef-0123-456789abcdef", "heroku", "my-forwarder", "10.0.0.1"]
    {
        let (heroku, shop) = shop(1).await;
        let service = Service::start(&heroku).await;
        assert_eq!(status(batch(&service, "", trouble_of(host)).bearer_auth(KEY)).await, 204, "{host}");
        service.passes(1).await;
        service.stop().await;
        assert_eq!(shop.restarts(), ["web.1"], "{host}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_with_lines_of_several_apps_those_of_the_app_count() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body = trouble_of("blog.acme") + &trouble("web.1") + &trouble_of("blog.acme");
    assert_eq!(status(batch(&service, "", body).bearer_auth(KEY)).await, 204);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}
