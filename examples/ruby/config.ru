require_relative "app"

run Guestbook.new(path: ENV.fetch("DATABASE"), title: ENV.fetch("TITLE", "Guestbook"))
