import ArgumentParser
import Configuration
import GRDB
import Hummingbird
import Mustache
