"""The web site of a machine: nginx in front of PHP-FPM with two pools, on unix sockets."""

from __future__ import annotations

from lab.booted import Booted

SOCKET = "/run/nginx-shop.sock"

# Sleeps for ?ms= milliseconds; or until there is a file at ?until=.
_PAGE = """<?php
function ask_the_warehouse(int $ms): void {
    usleep($ms * 1000);
}

ask_the_warehouse((int) ($_GET['ms'] ?? 0));
while (isset($_GET['until']) && !file_exists($_GET['until'])) {
    clearstatcache();
    usleep(10000);
}
echo "served\\n";
"""

_NGINX = f"""
server {{
    listen unix:{SOCKET};
    location / {{
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME /srv/page.php;
        fastcgi_pass unix:/run/php/www.sock;
    }}
    location /office/ {{
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME /srv/page.php;
        fastcgi_pass unix:/run/php/office.sock;
    }}
}}
"""

_OFFICE = """
[office]
user = www-data
group = www-data
listen = /run/php/office.sock
listen.owner = www-data
pm = ondemand
pm.max_children = 4
"""


def serve(machine: Booted, php: str) -> None:
    """Have the machine serve the site: /office/ by the pool office, the rest by Debian's pool, www."""
    machine.write("/srv/page.php", _PAGE)
    machine.write(
        "/etc/nginx/sites-enabled/shop", _NGINX.replace("/run/php/www.sock", f"/run/php/php{php}-fpm.sock")
    )
    machine.write(f"/etc/php/{php}/fpm/pool.d/office.conf", _OFFICE)
    machine.run("systemctl", "restart", f"php{php}-fpm", "nginx")
