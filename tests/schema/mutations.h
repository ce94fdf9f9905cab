// SPDX-License-Identifier: Apache-2.0
// Configurations with mistakes: every single one that is likely to matter, and many by chance.
#pragma once

#include <cstdint>

#include "base/text.h"
#include "schema.h"

namespace oci::schema {

/// splitmix64: the same numbers on every machine, which std::uniform_int_distribution does not promise.
class Dice {
public:
    std::size_t below(std::size_t limit) {
        state_ += 0x9e3779b97f4a7c15U;
        std::uint64_t value = state_;
        value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
        value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
        return (value ^ (value >> 31U)) % limit;
    }
    template <typename List>
    auto const& pick(List const& list) {
        return list[below(std::size(list))];
    }

private:
    std::uint64_t state_ = 1;
};

inline std::vector<std::string> texts() {
    std::vector<std::string> texts;
    for (auto const text :
         split("x / // /./ /absolute relative/path .. a/.. /a/../.. /proc/x /proc/cpuinfo a/../b /a/b/.. . ./a 1.3.0 "
               "1.0.0-rc.1 1.0.0-01 1.0.0+build.1 1.0 2.0.0 01.0.0 1.0.0- 1.2.3+ 0.2.0-rc.1.x-y+5 0 0-3,7 3-1 0- 0,,1 "
               "-1 99999999999 eth0 eth%d %d%d a% lo fifteen-letters sixteen--letters NAME=value =value NAME "
               "idmap=0:0:1 64KB 2MB 0GB 2M MB rwm rx MB:0=1 L3:0=1 org.example net.ipv4.ip_forward kernel.hostname "
               "kernel.sem cgroup.procs memory.high io.weight a/b.c c1:cri:x bind",
               ' '))
        texts.emplace_back(text);
    for (auto const* const text : {"", "a b", "two\nlines"})
        texts.emplace_back(text);
    texts.emplace_back("n\0l", 3);
    texts.emplace_back(64, 'a');
    texts.emplace_back(65, 'a');
    texts.emplace_back("ääääääääääääääääääääääääääääääääääää"); // 36 characters, 72 bytes
    return texts;
}

inline std::vector<json> numbers() {
    constexpr auto least = std::numeric_limits<std::int64_t>::min();
    constexpr auto greatest = std::numeric_limits<std::int64_t>::max();
    std::vector<json> values = {0.5, 1.5, -9.3e18, 1e300, least, greatest};
    values.emplace_back(std::uint64_t{greatest} + 1);
    values.emplace_back(std::numeric_limits<std::uint64_t>::max());
    for (std::int64_t const edge : {0LL, 5LL, 10LL, 100LL, 1000LL, 65535LL, 2147483647LL, 4294967295LL, -20LL, -1000LL})
        for (std::int64_t const near : {-1, 0, 1})
            values.emplace_back(edge + near);
    return values;
}

inline std::vector<json> values_of_all_types() {
    return {nullptr,
            true,
            false,
            1,
            "text",
            json::object(),
            json::array(),
            json::array({nullptr}),
            json::array({""}),
            json::array({"text"}),
            json::array({json::object()}),
            json::array({1})};
}

/// Pointers to all values below `value`.
inline void collect_places(json const& value, json::json_pointer const& place,
                           std::vector<json::json_pointer>& places) {
    for (auto const& [name, member] : value.items()) {
        auto const below = value.is_array() ? place / std::stoul(name) : place / name;
        places.push_back(below);
        if (member.is_structured())
            collect_places(member, below, places);
    }
}

inline std::vector<json::json_pointer> places_of(json const& document) {
    std::vector<json::json_pointer> places;
    collect_places(document, json::json_pointer(), places);
    return places;
}

inline void remove(json& document, json::json_pointer const& place) {
    auto& parent = document[place.parent_pointer()];
    if (parent.is_array())
        parent.erase(std::stoul(place.back()));
    else
        parent.erase(place.back());
}

/// What the schema says of the value at `place`; an empty schema where it does not know it.
inline json schema_at(json const& root, json const& document, json::json_pointer const& place) {
    if (place.empty())
        return root;
    auto const parent = schema_at(root, document, place.parent_pointer());
    if (document[place.parent_pointer()].is_array())
        return parent.contains("items") ? resolved(parent["items"], root) : json::object();
    if (parent.contains("properties") && parent["properties"].contains(place.back()))
        return resolved(parent["properties"][place.back()], root);
    auto const others = parent.value("additionalProperties", json::object());
    return others.is_object() ? resolved(others, root) : json::object();
}

/// Values at and beyond the limits that a schema has, its words and one that it has not.
inline std::vector<json> values_near(json const& schema) {
    std::vector<json> values;
    for (auto const* const name : {"minimum", "maximum"}) {
        auto const limit = schema.find(name);
        if (limit == schema.end())
            continue;
        auto const number = limit->get<std::uint64_t>();
        for (int const near : {-1, 0, 1}) {
            auto const value = number + static_cast<std::uint64_t>(near);
            bool const is_unsigned = limit->is_number_unsigned() && (number > 0 || near >= 0);
            values.push_back(is_unsigned ? json(value) : json(static_cast<std::int64_t>(value)));
        }
    }
    auto const& words = schema.contains("anyOf") && schema["anyOf"][0].contains("enum") ? schema["anyOf"][0] : schema;
    if (words.contains("enum")) {
        values.insert(values.end(), words["enum"].begin(), words["enum"].end());
        values.push_back(words["enum"][0].get<std::string>() + "X");
    }
    return values;
}

/// Values that are tried at a place.
inline std::vector<json> values_for(json const& old, json const& schema) {
    auto values = values_of_all_types();
    auto const near = values_near(schema);
    values.insert(values.end(), near.begin(), near.end());
    if (old.is_string())
        for (auto const& text : texts())
            values.emplace_back(text);
    return values;
}

/// Every single mistake of these kinds in `good`, with its description.
inline void each_mistake(json const& good, json const& schema,
                         std::function<void(json const&, std::string const&)> const& visit) {
    auto const changed = [&](json::json_pointer const& place, auto change, std::string const& what) {
        auto document = good;
        change(document);
        visit(document, place.to_string() + what);
    };
    for (auto const& place : places_of(good)) {
        auto const& old = good[place];
        auto const parent = place.parent_pointer();
        auto const here = schema_at(schema, good, place);
        bool const of_map = good[parent].is_object() && !schema_at(schema, good, parent).contains("properties");
        changed(
            place, [&](json& document) { remove(document, place); }, " deleted");
        for (auto const& value : values_for(old, here))
            changed(
                place, [&](json& document) { document[place] = value; }, " = " + value.dump());
        for (auto const& name : of_map ? texts() : std::vector<std::string>())
            changed(
                place,
                [&](json& document) {
                    remove(document, place);
                    document[parent][name] = old;
                },
                " named " + json(name).dump());
        if (good[parent].is_array())
            changed(
                place, [&](json& document) { document[parent].push_back(old); }, " doubled");
        if (!old.is_array())
            continue;
        for (auto const& value : values_near(resolved(here.value("items", json::object()), schema)))
            changed(
                place, [&](json& document) { document[place].push_back(value); }, " with " + value.dump());
        auto const most = here.value("maxItems", std::size_t{0});
        json const too_many(most + 1, old.empty() ? json("text") : old[0]);
        changed(
            place, [&](json& document) { document[place] = too_many; }, " = " + std::to_string(most + 1) + " times");
    }
}

/// One or two changes by chance.
class Mutator {
public:
    json mutate(json document) {
        log.clear();
        for (std::size_t times = dice.below(4) == 0 ? 2 : 1; times > 0; --times)
            change(document);
        return document;
    }

    std::string log; ///< what was done last
    Dice dice;

private:
    void change(json& document) {
        auto const places = places_of(document);
        if (places.empty())
            return;
        auto const place = dice.pick(places);
        auto const other = dice.pick(places);
        auto& parent = document[place.parent_pointer()];
        json const old = document[place];
        log += place.to_string();
        switch (dice.below(8)) {
        case 0:
            log += " deleted; ";
            return remove(document, place);
        case 1:
        case 2: {
            log += " once more; ";
            if (parent.is_array())
                parent.push_back(old);
            else
                parent[dice.pick(texts_)] = old;
            return;
        }
        case 3: {
            log += " as " + other.to_string() + "; ";
            json const copy = document[other];
            document[place] = copy;
            return;
        }
        default:
            auto const value = new_value(old);
            log += " = " + value.dump() + "; ";
            document[place] = value;
        }
    }

    json new_value(json const& old) {
        if (dice.below(3) == 0)
            return dice.pick(values_);
        if (old.is_number())
            return dice.pick(numbers_);
        return old.is_string() ? json(dice.pick(texts_)) : dice.pick(values_);
    }

    std::vector<json> numbers_ = numbers();
    std::vector<std::string> texts_ = texts();
    std::vector<json> values_ = values_of_all_types();
};

} // namespace oci::schema
