<?php

declare(strict_types=1);

namespace Portal;

use PDO;

/** The site: its pages in the database, its files beside it. */
final class Site {

  /** Updates of the schema, by number, as drush updatedb applies them. */
  public const UPDATES = [
    8001 => 'CREATE TABLE IF NOT EXISTS node (nid INT AUTO_INCREMENT PRIMARY KEY, title VARCHAR(255) NOT NULL)',
    8002 => 'CREATE INDEX IF NOT EXISTS title ON node (title)',
  ];

  public function __construct(private readonly PDO $db, private readonly string $name, private readonly string $files) {}

  /** The site that sites/default/settings.php describes. */
  public static function fromSettings(string $root): self {
    $databases = $settings = [];
    require "$root/sites/default/settings.php";
    $d = $databases['default']['default'];
    $db = new PDO("mysql:host={$d['host']};port={$d['port']};dbname={$d['database']};charset=utf8mb4", $d['username'], $d['password']);
    return new self($db, $settings['site_name'], "$root/{$settings['file_public_path']}");
  }

  /** Applies the updates that the database does not have, and gives their numbers. */
  public function update(): array {
    $this->db->exec('CREATE TABLE IF NOT EXISTS updates (number INT PRIMARY KEY)');
    $pending = array_diff_key(self::UPDATES, array_flip($this->updates()));
    foreach ($pending as $number => $statement) {
      $this->db->exec($statement);
      $this->db->prepare('INSERT INTO updates VALUES (?)')->execute([$number]);
    }
    return array_keys($pending);
  }

  /** Answers a request: the status and the text. */
  public function answer(string $method, string $path, string $body): array {
    return match ("$method $path") {
      'GET /up' => $this->updates() === array_keys(self::UPDATES) ? [200, "ok\n"] : [503, "updates are pending\n"],
      'GET /' => [200, implode("\n", [$this->name, ...$this->titles(), ...$this->listed()]) . "\n"],
      'POST /node' => $this->add($body),
      'POST /file' => $this->keep($body),
      default => [404, "There is no such page.\n"],
    };
  }

  private function updates(): array {
    return array_map('intval', $this->db->query('SELECT number FROM updates ORDER BY number')->fetchAll(PDO::FETCH_COLUMN));
  }

  private function titles(): array {
    return $this->db->query('SELECT title FROM node ORDER BY nid')->fetchAll(PDO::FETCH_COLUMN);
  }

  private function listed(): array {
    return array_map('basename', glob("$this->files/*.txt") ?: []);
  }

  private function add(string $title): array {
    $this->db->prepare('INSERT INTO node (title) VALUES (?)')->execute([mb_substr($title, 0, 255)]);
    return [201, "created\n"];
  }

  private function keep(string $text): array {
    $name = substr(hash('sha256', $text), 0, 12) . '.txt';
    return file_put_contents("$this->files/$name", $text) === FALSE ? [500, "the file is not kept\n"] : [201, "$name\n"];
  }

}
