extension TileBuilder {
    /// The layer as bytes of a tile; none where it has no features, which is a valid tile too. Call it at the end: what is
    /// added later needs another call.
    public mutating func finish() -> [UInt8] {
        close()
        guard count > 0 else { return [] }
        let most = layer.bytes + features.count + values.fields.count + countBytes
        return Array(unsafeUninitializedCapacity: LayerHeader.mostPrefixBytes + most) { memory, count in
            guard let base = memory.baseAddress else { return }
            let prefix = 1 + Varint.length(UInt64(most))
            var layer = FieldWriter(base + prefix)
            write(to: &layer)
            let actual = 1 + Varint.length(UInt64(layer.count))
            if actual < prefix { (base + actual).update(from: base + prefix, count: layer.count) }
            var start = FieldWriter(base)
            start.byte(0x1A)
            start.varint(layer.count)
            count = start.count + layer.count
        }
    }

    private mutating func write(to writer: inout FieldWriter) {
        writer.byte(0x0A)
        writer.varint(layer.name.count)
        writer.bytes(layer.name)
        if let slot = layer.countSlot {
            writeCounted(slot, to: &writer)
        } else {
            writer.bytes(features.bytes())
        }
        writer.bytes(layer.keys)
        writer.bytes(values.fields.bytes())
        writer.bytes(LayerHeader.tail)
    }

    /// Writes the features, those that stand for several points with their number.
    private mutating func writeCounted(_ slot: UInt32, to writer: inout FieldWriter) {
        var tag = FieldBytes()
        var copied = 0
        for index in 0..<grid.count where grid[index].points > 1 {
            var reader = FieldReader(features.bytes(), at: Int(grid[index].offset))
            for _ in 0..<grid[index].ordinal { _ = (reader.byte(), reader.content()) }
            writer.bytes(reader.slice(copied, reader.offset))
            let value = values.index(integer: Int64(grid[index].points))
            tag.cut(to: 0)
            tag.write(atMost: 10) {
                $0.varint(slot)
                $0.varint(value)
            }
            _ = reader.byte()
            if let message = reader.content() { writer.feature(message, moreTags: tag.bytes()) }
            copied = reader.offset
        }
        writer.bytes(features.bytes(from: copied))
    }

    // MARK: Features one by one

    /// Writes a feature but for its tags and its length.
    @inline(__always)
    mutating func beginFeature(
        _ id: UInt64?,
        _ type: FeatureType,
        atMost most: Int,
        _ geometry: (inout FieldWriter) -> Void
    ) {
        var offset = 0
        features.write(atMost: FeatureField.mostHeaderBytes + most) { writer in
            writer.byte(FeatureField.feature)
            writer.byte(0)
            if let id {
                writer.byte(FeatureField.id)
                writer.varint(id)
            }
            writer.byte(FeatureField.type)
            writer.byte(type.rawValue)
            writer.byte(FeatureField.geometry)
            offset = writer.count
            writer.byte(0)
            geometry(&writer)
        }
        features.endField(at: offset)
        count += 1
    }

    /// Appends a tag to the last feature. The later value wins: a key stands once in a feature (Vector Tile 2.1, 4.4).
    @inline(__always)
    mutating func put(_ key: UInt32, _ value: UInt32) {
        let bit = OpenFeatures.bit(key)
        guard let tags = open?.tags, let keys = open?.keys else { return }
        if keys & bit != 0 { removeTag(key, from: tags + 1) }
        open?.keys = keys | bit
        features.write(atMost: 12) { writer in
            if tags == 0 {
                writer.byte(FeatureField.tags)
                open?.tags = writer.count
                writer.byte(0)
            }
            writer.varint(key)
            writer.varint(value)
        }
    }

    private mutating func removeTag(_ key: UInt32, from offset: Int) {
        var reader = FieldReader(features.bytes(from: offset))
        var kept: [UInt32] = []
        while let found = reader.varint(), let value = reader.varint() {
            if found != UInt64(key) { kept += [UInt32(found), UInt32(value)] }
        }
        features.cut(to: offset)
        features.append(varints: kept)
    }

    /// Ends what was just added; takes it back where its bytes are too many.
    @inline(__always)
    mutating func close() {
        guard let open else { return }
        self.open = nil
        if count - open.features > 1 {
            endSeveral(open)
        } else {
            if open.tags > 0 { features.endField(at: open.tags) }
            features.endField(at: open.bytes + 1)
        }
        if !hasRoom(for: 0) { takeBack(open) }
    }

    /// Gives the tags of the last feature to all of a collection's.
    private mutating func endSeveral(_ open: OpenFeatures) {
        let tags = open.tags > 0 ? features.copy(from: open.tags + 1) : []
        if open.tags > 0 { features.cut(to: open.tags - 1) }
        let messages = features.copy(from: open.bytes)
        features.cut(to: open.bytes)
        messages.withUnsafeBufferPointer { messages in
            tags.withUnsafeBufferPointer { tags in
                var reader = FieldReader(messages)
                while reader.byte() != nil, reader.byte() != nil {
                    let start = reader.offset
                    reader.skipToTags()
                    let message = reader.slice(start, reader.offset)
                    features.write(atMost: 22 + message.count + tags.count) { $0.feature(message, moreTags: tags) }
                }
            }
        }
    }

    mutating func takeBack(_ open: OpenFeatures) {
        isComplete = false
        count = open.features
        features.cut(to: open.bytes)
        values.cut(to: open.values, bytes: open.valueBytes)
    }
}

extension FieldBytes {
    fileprivate mutating func append(varints values: [UInt32]) {
        write(atMost: values.count * 5) { writer in for value in values { writer.varint(value) } }
    }
}

extension FieldWriter {
    /// Writes a feature's message with more tags than it has: 22 bytes more than both at most.
    fileprivate mutating func feature(_ message: UnsafeBufferPointer<UInt8>, moreTags: UnsafeBufferPointer<UInt8>) {
        var reader = FieldReader(message)
        reader.skipToTags()
        let withoutTags = reader.slice(0, reader.offset)
        let tags = reader.byte() == nil ? nil : reader.content()
        let tagBytes = (tags?.count ?? 0) + moreTags.count
        let header = tagBytes == 0 ? 0 : 1 + Varint.length(UInt64(tagBytes))
        byte(FeatureField.feature)
        varint(withoutTags.count + header + tagBytes)
        bytes(withoutTags)
        guard tagBytes > 0 else { return }
        byte(FeatureField.tags)
        varint(tagBytes)
        if let tags { bytes(tags) }
        bytes(moreTags)
    }
}

extension FieldReader {
    /// Goes over a feature's number, type and geometry.
    fileprivate mutating func skipToTags() {
        if first == FeatureField.id { _ = (byte(), varint()) }
        _ = (byte(), byte(), byte(), content())
    }
}
