"""The Markdown extension that embeds clips and quotes traces; reads artifacts only."""
