<?php
// A query in a loop, by every way there is to send one: ?api=. "query: METHOD" marks the line that sends it.

final class Shop
{
    private Repository $products;

    public function __construct()
    {
        $this->products = new Repository($_GET['api'], $_GET['database'], $_GET['sql']);
    }

    public function page(int $products): void
    {
        for ($id = 1; $id <= $products; $id++) {
            $this->products->find($id); // the loop
        }
    }
}

final class Repository
{
    private PDO|mysqli $database;
    private PDOStatement|mysqli_stmt $statement;

    public function __construct(private string $api, string $database, private string $sql)
    {
        $this->database = match ($api) {
            'sqlite' => new PDO("sqlite:$database", options: [PDO::ATTR_TIMEOUT => 30]),
            'pdo', 'emulated' => new PDO("mysql:unix_socket=$database;dbname=shop", 'root'),
            'native' => new PDO("mysql:unix_socket=$database;dbname=shop", 'root', '', [PDO::ATTR_EMULATE_PREPARES => false]),
            default => new mysqli('localhost', 'root', '', 'shop', 0, $database),
        };
        if (in_array($api, ['sqlite', 'emulated', 'native', 'statement'])) {
            $this->statement = $this->database->prepare("$sql ?");
        }
    }

    public function find(int $id): mixed
    {
        return match ($this->api) {
            'procedural' => $this->procedural("$this->sql $id"),
            'method' => $this->method("$this->sql $id"),
            'statement' => $this->statement($id),
            'pdo' => $this->pdo("$this->sql $id"),
            default => $this->prepared($id),
        };
    }

    private function procedural(string $sql): mixed
    {
        $result = mysqli_query($this->database, $sql); // query: procedural
        return mysqli_fetch_row($result);
    }

    private function method(string $sql): mixed
    {
        $result = $this->database->query($sql); // query: method
        return $result->fetch_row();
    }

    private function statement(int $id): mixed
    {
        $this->statement->bind_param('i', $id);
        $this->statement->execute(); // query: statement
        return $this->statement->get_result()->fetch_row();
    }

    private function pdo(string $sql): mixed
    {
        $result = $this->database->query($sql); // query: pdo
        return $result->fetchAll();
    }

    private function prepared(int $id): mixed
    {
        $this->statement->execute([$id]); // query: prepared
        return $this->statement->fetchAll();
    }
}
