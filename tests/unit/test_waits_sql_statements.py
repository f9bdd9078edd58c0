from __future__ import annotations

import pytest

from compassd.waits.sql import mask_sql

# What PHP applications send, as their frameworks write it.
STATEMENTS = {
    "WordPress, options": (
        "SELECT option_name, option_value FROM wp_options WHERE autoload IN ( 'yes', 'on', 'auto-on' )",
        "SELECT option_name, option_value FROM wp_options WHERE autoload IN ( ? )",
    ),
    "WordPress, posts by id": (
        "SELECT   wp_posts.ID\n\t\t\tFROM wp_posts \n\t\t\tWHERE 1=1  AND wp_posts.ID IN (11,7,3)"
        "\n\t\t\t\n\t\t\tORDER BY FIELD( wp_posts.ID, 11,7,3 )\n\t\t\tLIMIT 0, 3",
        "SELECT wp_posts.ID FROM wp_posts WHERE ?=? AND wp_posts.ID IN (?) ORDER BY FIELD( wp_posts.ID, ? ) "
        "LIMIT ?, ?",
    ),
    "WordPress, serialised": (
        r"""UPDATE `wp_options` SET `option_value` = 'a:1:{s:4:\"name\";s:6:\"O\'Hara\";}' """
        r"WHERE `option_name` = 'widget_text'",
        "UPDATE `wp_options` SET `option_value` = ? WHERE `option_name` = ?",
    ),
    "WordPress, upsert": (
        "INSERT INTO `wp_options` (`option_name`, `option_value`) VALUES ('cron', 'a:0:{}') ON DUPLICATE KEY "
        "UPDATE `option_name` = VALUES(`option_name`), `option_value` = VALUES(`option_value`)",
        "INSERT INTO `wp_options` (`option_name`, `option_value`) VALUES (?, ?) ON DUPLICATE KEY "
        "UPDATE `option_name` = VALUES(`option_name`), `option_value` = VALUES(`option_value`)",
    ),
    "Doctrine, find": (
        "SELECT t0.id AS id_1, t0.name AS name_2 FROM product t0 WHERE t0.id = ?",
        "SELECT t0.id AS id_1, t0.name AS name_2 FROM product t0 WHERE t0.id = ?",
    ),
    "Doctrine, DQL": (
        "SELECT p0_.id AS id_0, COUNT(c1_.id) AS c FROM product p0_ LEFT JOIN category c1_ "
        "ON p0_.category_id = c1_.id WHERE p0_.id IN (?, ?, ?) HAVING COUNT(c1_.id) > 2 LIMIT 10 OFFSET 20",
        "SELECT p0_.id AS id_0, COUNT(c1_.id) AS c FROM product p0_ LEFT JOIN category c1_ "
        "ON p0_.category_id = c1_.id WHERE p0_.id IN (?) HAVING COUNT(c1_.id) > ? LIMIT ? OFFSET ?",
    ),
    "Laravel on MySQL": (
        "select * from `users` where `email` = ? and `users`.`deleted_at` is null limit 1",
        "select * from `users` where `email` = ? and `users`.`deleted_at` is null limit ?",
    ),
    # In quotes without a table before it, a column cannot be told from a string of MySQL's.
    "Laravel on PostgreSQL": (
        'select "posts".* from "posts" inner join "users" on "users"."id" = "posts"."by" where "title" = ?',
        'select "posts".* from "posts" inner join "users" on "users"."id" = "posts"."by" where ? = ?',
    ),
    "Laravel, insert": (
        'insert into "jobs" ("queue", "payload") values (?, ?), (?, ?) returning "id"',
        'insert into "jobs" (?, ?) values (?, ?) returning ?',
    ),
    "Magento, collection": (
        "SELECT `e`.*, IF(at_status.value_id > 0, at_status.value, -1) AS `status` FROM "
        "`catalog_product_entity` AS `e` WHERE (`e`.`entity_id` IN(1, 2, 3)) AND "
        "((e.created_at >= '2024-01-01 00:00:00'))",
        "SELECT `e`.*, IF(at_status.value_id > ?, at_status.value, ?) AS `status` FROM "
        "`catalog_product_entity` AS `e` WHERE (`e`.`entity_id` IN(?)) AND "
        "((e.created_at >= ?))",
    ),
    "Magento, config": (
        "INSERT  INTO `flag` (`flag_code`,`state`,`data`) VALUES ('a', 0, NULL), ('b', 1, '{\\\"x\\\":1}')",
        "INSERT INTO `flag` (`flag_code`,`state`,`data`) VALUES (?, ?, ?)",
    ),
    "Drupal": (
        'SELECT 1 AS "expression" FROM "cache_data" "c" WHERE "c"."cid" IN (:cids__0, :cids__1) '
        "AND c.expire <> -1",
        'SELECT ? AS ? FROM "cache_data" ? WHERE "c"."cid" IN (?) AND c.expire <> ?',
    ),
    "a comment that names the caller": (
        "/* App\\Repo::find */ SELECT * FROM product -- by id\nWHERE id = 5;",
        "SELECT * FROM product WHERE id = ?",
    ),
    "PostgreSQL": (
        "SELECT a::text, tags[1], $1 FROM t WHERE d > now() - interval '1 day' AND id = ANY('{1,2}'::int[])",
        "SELECT a::text, tags[?], $1 FROM t WHERE d > now() - interval ? AND id = ANY(?::int[])",
    ),
    "session": (
        "SET NAMES utf8mb4, sql_mode = 'ANSI', @a := 5, time_zone = '+00:00'",
        "SET NAMES utf8mb4, sql_mode = ?, @a := ?, time_zone = ?",
    ),
    "several": (
        "BEGIN; UPDATE a SET b = b - 1, c = NULL WHERE d IS NOT NULL; COMMIT;",
        "BEGIN; UPDATE a SET b = b - ?, c = ? WHERE d IS NOT NULL; COMMIT",
    ),
}


@pytest.mark.parametrize(("text", "shape"), STATEMENTS.values(), ids=STATEMENTS)
def test_of_a_statement_its_shape_stays(text: str, shape: str) -> None:
    assert mask_sql(text, cut=False) == shape
    assert mask_sql(shape, cut=False) == shape
