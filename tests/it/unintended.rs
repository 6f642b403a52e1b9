//! Requests with the key that are no alert: link previews, pages loaded in advance, and log drains at the wrong URL.

use reqwest::Method;

use crate::service::{KEY, Service, deletes, first_line, shop};

/// The answer to a request with the key in its URL and this header.
async fn answer(service: &Service, method: Method, header: (&str, &str)) -> (u16, String) {
    let request = service.request(method, &format!("key={KEY}")).header(header.0, header.1);
    let answer = request.send().await.expect("answered");
    (answer.status().as_u16(), first_line(&answer.text().await.expect("whole")))
}

#[tokio::test(start_paused = true)]
async fn a_link_preview_restarts_nothing() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for agent in [
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Slack-ImgProxy (+https://api.slack.com/robots)",
        "TelegramBot (like TwitterBot)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "WhatsApp/2.23.20.0 A",
        "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
        "Twitterbot/1.0",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
        "Microsoft Teams",
        "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; ZulipURLPreview/1.0; +https://zulip.com)",
        "Synapse (bot; +https://github.com/matrix-org/synapse)",
        "Mattermost-Bot/1.1",
        "Mozilla/5.0 (compatible; Cardyb/1.1; +mailto:support@bsky.app)",
        "it2media-domain-crawler/1.0",
        "Mozilla/5.0 (compatible; Embedly/0.2; +http://support.embed.ly/)",
        "meta-externalagent/1.1",
        "meta-externalfetcher/1.1",
        "Mozilla/5.0 (compatible; FlipboardProxy/1.2; +http://flipboard.com/browserproxy)",
        "github-camo (876de43e)",
        "Mozilla/5.0 Google-PageRenderer Google (+https://developers.google.com/+/web/snippet/)",
        "Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0.0.0 Safari/537.36 (compatible; Google-Read-Aloud)",
        "Mozilla/5.0 Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "GoogleOther",
        "Iframely/1.3.1 (+https://iframely.com/docs/about)",
        "kakaotalk-scrap/1.0",
        "line-poker/1.0",
        "http.rb/5.1.1 (Mastodon/4.2.0; +https://mastodon.social/)",
        "MetadataRetriever/1.0",
        "NotionEmbedder",
        "Rocket.Chat OEmbed Client/7.0",
        "Baiduspider/2.0",
        "Viber/17.0",
        "facebookcatalog/1.0",
        "Mediapartners-Google",
        "ia_archiver (+http://www.alexa.com/site/help/webmasters; crawl@alexa.com)",
        "Pinterest/0.2 (+http://www.pinterest.com/bot.html)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ChatGPT-User/1.0; +https://openai.com/x)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Claude-User/1.0; +Claude-User@anthropic.com)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Perplexity-User/1.0)",
        "Mozilla/5.0 (compatible; Google-InspectionTool/1.0;)",
        "Mozilla/5.0 (Linux; Android 11) Chrome/119.0.0.0 Mobile Safari/537.36 Chrome-Lighthouse",
        "matrix-media-repo",
        "MetaInspector/5.0 (+https://github.com/jaimeiniesta/metainspector)",
        "Misskey/2024.5.0 (https://misskey.example)",
        "opengraph-scraper",
        "Pleroma 2.5.0; https://pleroma.example <ann@example.com>",
        "unfurl.js",
        "Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)",
        "XING-contenttabreceiver/2.0",
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    ] {
        let (status, text) = answer(&service, Method::GET, ("user-agent", agent)).await;
        assert!(status == 200 && text.starts_with("Ignored: it is no alert: "), "{agent}: {status} {text}");
    }
    assert_eq!(service.log.count("was ignored: it is no alert: slackbot fetched the URL"), 1);
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_a_browser_loads_in_advance_restarts_nothing() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for header in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "Prefetch"),
        ("x-purpose", "preview"),
        ("x-moz", "prefetch"),
        ("sec-purpose", "prerender"),
        ("purpose", "instant"),
    ] {
        let (status, text) = answer(&service, Method::GET, header).await;
        assert!(status == 200 && text.starts_with("Ignored: it is no alert: a browser loaded"), "{header:?}: {text}");
    }
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn a_monitoring_service_a_browser_and_curl_restart() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for agent in [
        "curl/8.5.0",
        "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
        "shop-teams-alerts/1.0",
        "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
        "FreshpingBot/1.0 (+https://freshping.io/)",
        "Better Uptime Bot Mozilla/5.0",
        "StatusCakeBot",
        "WebsiteMonitorBot/1.0",
        "Uptimebot/1.0 (+http://www.uptime.com/uptimebot)",
        "Google-Cloud-Scheduler",
        "AlertBot/1.0",
        "BetterStackBot/1.0",
        "",
    ] {
        assert_eq!(answer(&service, Method::GET, ("user-agent", agent)).await.0, 202, "{agent}");
    }
    let slash_command = ("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)");
    assert_eq!(answer(&service, Method::POST, slash_command).await.0, 202);
    assert_eq!(answer(&service, Method::GET, ("sec-purpose", "")).await.0, 202);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_log_drain_at_the_url_for_alerts_is_rejected_and_the_log_tells_its_right_url() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for header in [
        ("content-type", "application/logplex-1"),
        ("logplex-msg-count", "1"),
        ("Logplex-Frame-Id", "F1"),
        ("content-type", "Application/Logplex-1"),
    ] {
        let (status, text) = answer(&service, Method::POST, header).await;
        assert_eq!((status, text.as_str()), (400, "This is the URL for alerts; a log drain delivers to /drain"));
    }
    assert_eq!(service.log.count("a log drain delivers to /restart_web_dynos, and nothing is restarted for it"), 1);
    assert_eq!(service.log.count(r#"heroku drains:add "https://drain:KEY@HOST/drain" -a APP"#), 1);
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}
