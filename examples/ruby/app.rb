# frozen_string_literal: true

require "sinatra/base"
require_relative "book"

# A guest book: who has been here at /, its health at /up.
class Guestbook < Sinatra::Base
  before { content_type "text/plain" }

  def initialize(app = nil, path:, title: "Guestbook")
    super(app)
    @book = Book.new(path)
    @title = title
  end

  get("/up") { @book.ready? ? "ok\n" : halt(503, "the book is not migrated\n") }

  get("/") { [@title, *@book.names].join("\n") + "\n" }

  post "/" do
    @book.sign(request.body.read(200).to_s.force_encoding("UTF-8").scrub)
    halt 201, "welcome\n"
  end
end
