//! Lists are split into pages, which a client requests with the `Range` header.

use simulator::Heroku;

use crate::client::{Answer, get, list};

async fn shop_with_five_dynos() -> Heroku {
    let heroku = Heroku::start().await;
    heroku.create_app("shop").with("web", 5);
    heroku
}

fn next_range(page: &Answer) -> &str {
    page.header("next-range")
}

#[tokio::test(start_paused = true)]
async fn a_next_range_that_was_not_issued_is_rejected() {
    let heroku = shop_with_five_dynos().await;
    let page = list(&heroku, "name ..; max=2").await;
    let altered = next_range(&page).replace("max=2", "max=3");
    for range in [altered.as_str(), "name ]web.2..; max=2", "name", "size ..", "name ..; max=0", "name ..; max=1001"] {
        let answer = list(&heroku, range).await;
        assert_eq!(answer.status, 416, "{range}");
        assert_eq!(answer.json()["id"], "requested_range_not_satisfiable");
    }
}

#[tokio::test(start_paused = true)]
async fn the_pages_of_a_list_have_all_entries_in_order() {
    let heroku = shop_with_five_dynos().await;
    let first = list(&heroku, "name ..; max=2").await;
    assert_eq!((first.status.as_u16(), first.column("name")), (206, vec!["web.1".into(), "web.2".into()]));
    assert_eq!(first.header("content-range"), "name web.1..web.2; max=2");
    assert_eq!(first.header("accept-ranges"), "id, name");
    let second = list(&heroku, next_range(&first)).await;
    assert_eq!(second.column("name"), ["web.3", "web.4"]);
    let third = list(&heroku, next_range(&second)).await;
    assert_eq!((third.status.as_u16(), third.column("name")), (200, vec!["web.5".into()]));
    assert!(!third.headers.contains_key("next-range"));
}

#[tokio::test(start_paused = true)]
async fn a_list_can_be_in_descending_order() {
    let heroku = shop_with_five_dynos().await;
    let down = list(&heroku, "name ..; max=3,order=desc;").await;
    assert_eq!(down.column("name"), ["web.5", "web.4", "web.3"]);
    assert_eq!(list(&heroku, next_range(&down)).await.column("name"), ["web.2", "web.1"]);
}

#[tokio::test(start_paused = true)]
async fn by_default_a_page_has_200_dynos_in_the_order_of_their_ids() {
    let heroku = Heroku::start().await;
    heroku.create_app("shop").with("web", 201);
    let page = get(&heroku, "/apps/shop/dynos").await;
    assert_eq!(page.status, 206);
    let ids = page.column("id");
    assert_eq!(ids.len(), 200);
    assert!(ids.is_sorted());
    assert_eq!(list(&heroku, "id ..; max=1000").await.status, 200);
}
