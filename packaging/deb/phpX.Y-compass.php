mod build/php/modules/compass.so
mod packaging/deb/compass.ini
