<?php
// A known tree of function calls, for traces.

namespace Shop;

class Cart
{
    public function total(): int
    {
        return array_sum(array_map(fn (int $price): int => $this->taxed($price), [1, 2, 3]));
    }

    private function taxed(int $price): int
    {
        usleep(2000);
        return $price * 2;
    }
}

// Not a constant: opcache would put that in the place of the call.
function quick(): int
{
    static $calls = 0;
    return ++$calls;
}

for ($n = 0; $n < 10; $n++) {
    quick();
}
echo (new Cart())->total();
