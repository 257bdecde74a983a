"""From a full queue at the broker to the store: Passerelle and Telegraf, in turn."""
