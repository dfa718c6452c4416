# frozen_string_literal: true

require "pstore"

# The guests, in a file that a crash leaves whole.
class Book
  MIGRATIONS = {
    1 => ->(store) { store[:guests] = [] },
    2 => ->(store) { store[:guests] = store[:guests].map { |name| {name: name, came: nil} } }
  }.freeze

  def initialize(path)
    @store = PStore.new(path, true)
    @store.ultra_safe = true
  end

  # Brings the file forward, each step whole or not at all; gives the steps taken.
  def migrate
    MIGRATIONS.keys.sort.select do |number|
      @store.transaction do
        next false if number <= (@store[:version] || 0)
        MIGRATIONS.fetch(number).call(@store)
        @store[:version] = number
      end
    end
  end

  def ready? = @store.transaction(true) { @store[:version] == MIGRATIONS.keys.max }

  def names = @store.transaction(true) { @store[:guests].map { |guest| guest[:name] } }

  def sign(name) = @store.transaction { @store[:guests] += [{name: name, came: Time.now.utc}] }
end
