<?php

/*
 * A shop with one fast page and one page for each way of being slow. Every page answers with JSON that holds PHP's
 * own measurement of the work it did, so that what Compass tells can be checked against it.
 */

declare(strict_types=1);

namespace Shop;

spl_autoload_register(static function (string $class): void {
    require __DIR__ . '/src/' . substr($class, strlen(__NAMESPACE__) + 1) . '.php';
});

$pages = [
    '/' => static fn () => (new HomePage())->show(),
    '/orders' => static fn () => (new OrderHistory(Database::open()))->show(),
    '/cart' => static fn () => (new Cart(Database::open(), new AuditLog()))->add(),
    '/checkout' => static fn () => (new Checkout(new PaymentProvider()))->submit(),
    '/report' => static fn () => (new SalesReport())->build(),
    '/report/yearly' => static fn () => (new SalesReport())->build(),
    '/export' => static fn () => (new CatalogueExport())->collect(),
    '/shipping' => static fn () => (new ShippingQuote(getenv('SHOP_SHIPPING_URL') ?: ''))->fetch(),
    '/broken' => static fn () => (new Newsletter())->subscribe(),
];

(new FrontController($pages))->handle($_SERVER['REQUEST_METHOD'] ?? 'GET', $_SERVER['REQUEST_URI'] ?? '/');
