"""The laboratory's MariaDB works, so that what is found with it is about Compass."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab import processes
from lab.errors import LabError
from lab.fastcgi import Call
from lab.mariadb import MariaDb
from lab.php_fpm import PhpFpm

SHOP = """
CREATE DATABASE shop;
CREATE TABLE shop.product (id INT);
INSERT INTO shop.product VALUES (7);
"""
ASK = """<?php
$database = new mysqli('localhost', 'root', '', 'shop', 0, $_GET['socket']);
echo json_encode([
    'products' => $database->query('SELECT * FROM product')->fetch_all(),
    'networking' => $database->query('SELECT @@skip_networking')->fetch_column(),
    'drivers' => PDO::getAvailableDrivers(),
]);
"""


def test_php_of_any_user_reaches_it_on_its_socket_only(tmp_path: Path) -> None:
    script = tmp_path / "ask.php"
    script.write_text(ASK)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    user = "www-data" if os.geteuid() == 0 else None
    with MariaDb(sql=SHOP) as database, PhpFpm(user=user) as fpm:
        answer = fpm.request(Call(script=script, uri=f"/?socket={database.socket}")).json()
    assert answer["products"] == [["7"]]
    assert answer["networking"] == "1"
    assert "mysql" in answer["drivers"]


def test_sql_that_fails_is_told_with_the_log() -> None:
    with pytest.raises(LabError, match="near 'NONSENSE;'"), MariaDb(sql="NONSENSE;"):
        pass


def test_it_leaves_nothing() -> None:
    before = processes.children(os.getpid())
    with MariaDb() as database:
        directory = database.socket.parent
        (pid,) = set(processes.children(os.getpid())) - set(before)
    assert not directory.exists()
    assert not Path(f"/proc/{pid}").exists()
