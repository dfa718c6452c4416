# frozen_string_literal: true

require "minitest/autorun"
require "rack/mock"
require "tmpdir"
require_relative "../app"

class AppTest < Minitest::Test
  def setup
    @dir = Dir.mktmpdir
    @path = File.join(@dir, "book")
    @web = Rack::MockRequest.new(Guestbook.new(path: @path))
  end

  def teardown = FileUtils.remove_entry(@dir)

  def test_up_only_when_migrated
    assert_equal 503, @web.get("/up").status
    assert_equal [1, 2], Book.new(@path).migrate
    assert_equal [], Book.new(@path).migrate
    assert_equal 200, @web.get("/up").status
  end

  def test_a_guest_signs
    Book.new(@path).migrate
    assert_equal 201, @web.post("/", input: "Ada").status
    assert_equal "Guestbook\nAda\n", @web.get("/").body
  end
end
