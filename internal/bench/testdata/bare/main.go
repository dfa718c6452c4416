// Command bare is the least that accepts a webhook durably: it checks Gitea's
// signature and commits one row to SQLite, synced to disk, before it answers.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"flag"
	"io"
	"log"
	"net/http"
	"time"

	_ "modernc.org/sqlite"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	file := flag.String("database", "bare.db", "file")
	secret := flag.String("secret", "", "what signs deliveries")
	flag.Parse()
	db, err := sql.Open("sqlite", "file:"+*file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		log.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE deliveries (path TEXT, delivery TEXT, received INTEGER, PRIMARY KEY (path, delivery))"); err != nil {
		log.Fatal(err)
	}
	insert, err := db.Prepare("INSERT INTO deliveries VALUES (?, ?, ?)")
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /webhooks/{app}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mac := hmac.New(sha256.New, []byte(*secret))
		mac.Write(body)
		if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(r.Header.Get("X-Gitea-Signature"))) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if _, err := insert.ExecContext(r.Context(), r.PathValue("app"), r.Header.Get("X-Gitea-Delivery"), time.Now().UnixMicro()); err != nil {
			log.Print(err)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}
